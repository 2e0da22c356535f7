"""A flood of all that can be forged, against the agent in host mode: as the benchmark has it."""

from __future__ import annotations

import os

import pytest
from mcastd_bench.flood import COMPATIBLE, STEADFAST, Flood
from mcastd_bench.flooded_host import FloodedHost
from mcastd_lab import Lab

pytestmark = pytest.mark.lab

SECONDS = 2.0


@pytest.mark.parametrize("configuration", [STEADFAST, COMPATIBLE], ids=["steadfast", "compatible"])
def test_all_is_counted_exactly_and_the_true_querier_is_heard_and_answered(
    configuration: str,
) -> None:
    """That it is counted exactly is the benchmark's own condition."""
    with Lab() as lab:
        flood = Flood(FloodedHost(lab, os.sched_getaffinity(0)), configuration)
        flood.of_the_agent(SECONDS)
    found = flood.figures["mcastd"]
    asked = found["queries"]["asked"]
    assert asked >= 4
    assert found["queries_handed_over"] == asked
    assert found["queries"]["answered"] == asked
    assert found["discarded"] > found["frames"] / 2
    assert found["refused_by_the_limits"] > 0


def test_the_kernel_alone_is_flooded_and_asked_the_same_way() -> None:
    with Lab() as lab:
        flood = Flood(FloodedHost(lab, os.sched_getaffinity(0)), STEADFAST)
        flood.of_the_kernel(SECONDS)
        flood.of_a_packet_socket(SECONDS)
    kernel, receiver = flood.figures["kernel_alone"], flood.figures["af_packet_python"]
    assert kernel["queries"]["asked"] >= 2
    assert kernel["frames"] > 0
    assert 0 < receiver["received"] <= receiver["received"] + receiver["dropped"]
    assert receiver["received"] + receiver["dropped"] >= receiver["frames"]
