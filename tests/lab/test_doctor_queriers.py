"""Who asks on a link, and how: each fault is a real querier's, found by its name and mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import pack

import pytest
from mcastd_lab import Lab
from support.ailing import Finding, Patient, joined, sending
from support.lab import Cable
from support.queries import ALL_HOSTS, igmp_frame, igmp_query, mld_query

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"
ROUTER, OTHER = "192.0.2.1", "192.0.2.3"
LONG = 125

SETTINGS = """\
[interface.eth0]
query_interval = 1
query_response_interval = 0.1
"""
"""A querier is missed after two seconds."""


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Lab() as made:
        yield Cable(made)


@pytest.fixture(scope="module")
def patient(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """It has joined a group. What asks is the test's own end of the cable."""
    settings = tmp_path_factory.mktemp("settings") / "mcastd.toml"
    settings.write_text(SETTINGS)
    patient = Patient.of(cable.observe("-c", settings), cable.host)
    with joined(cable.host, GROUP):
        yield patient


def asked(cable: Cable, *queries: bytes) -> Callable[[], None]:
    def send() -> None:
        for each in queries:
            cable.wire.send(each)

    return send


def found_while(patient: Patient, send: Callable[[], None], kind: str) -> Finding:
    """The finding that is there while it is asked so."""
    found: Finding = sending(send, lambda: patient.of_kind(kind), kind)[0]
    assert found["evidence"]
    return found


def ends_while(patient: Patient, send: Callable[[], None], kind: str) -> None:
    sending(send, lambda: not patient.of_kind(kind), f"an end of {kind}")


def test_a_link_on_which_nobody_asks_is_named(cable: Cable, patient: Patient) -> None:
    found = patient.diagnosed("no_querier")
    assert found["interface"] == "eth0"
    assert "mcast_querier 1" in found["remedy"]

    cable.wire.send(igmp_query(3, ROUTER, interval=LONG))
    cable.wire.send(mld_query(2, "fe80::1", interval=LONG))

    patient.is_over("no_querier")
    patient.is_healthy()


def test_a_querier_without_router_alert_is_named_until_it_sends_it(
    cable: Cable, patient: Patient
) -> None:
    message = pack(">BBHIBBH", 0x11, 10, 0, 0, 2, LONG, 0)
    bare = igmp_frame(ROUTER, ALL_HOSTS, message, alert=False)
    found = found_while(patient, asked(cable, bare), "no_router_alert")
    assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
    assert ROUTER in found["remedy"]

    cable.wire.send(igmp_query(3, ROUTER, interval=LONG))

    patient.is_over("no_router_alert")
    patient.is_healthy()


def test_two_that_ask_at_once_are_named_until_one_gives_way(cable: Cable, patient: Patient) -> None:
    one, two = (igmp_query(3, each, interval=1) for each in (ROUTER, OTHER))
    found = found_while(patient, asked(cable, two, one), "several_queriers")
    assert found["text"].startswith(f"2 queriers ask at once: {ROUTER}, {OTHER}")

    ends_while(patient, asked(cable, one), "several_queriers")


def test_a_querier_that_is_silent_is_named_until_it_asks_again(
    cable: Cable, patient: Patient
) -> None:
    cable.wire.send(igmp_query(3, ROUTER, interval=1))
    found = patient.diagnosed("querier_silent")
    assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
    assert f"{ROUTER} has not asked for" in found["text"]
    assert f"ping -c 3 -I eth0 {ROUTER}" in found["remedy"]
    assert patient.stops(GROUP) == ["querier"]

    cable.wire.send(igmp_query(3, ROUTER, interval=LONG))

    patient.is_over("querier_silent")
    patient.is_healthy()
