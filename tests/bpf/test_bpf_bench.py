"""The programs as benchmarks change them."""

from __future__ import annotations

import pytest
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.test_run import run
from mcastd.gmp.family import IGMP, MLD
from mcastd_bench import frames
from mcastd_bench.programs import dropping
from support.kernel_programs import PASSES, STOPS


@pytest.mark.bpf
@pytest.mark.parametrize("name", ["mcast_xdp", "mcast_inject"])
def test_what_would_pass_is_dropped_and_nothing_else_is_changed(
    compiled: BpfObject, name: str
) -> None:
    every = [*frames.bystanders(), *frames.reports(IGMP), *frames.queries(MLD)]
    usual, dropper = Kernel(compiled), Kernel(dropping(compiled))
    passed = [run(usual.program(name), each) for each in every]
    dropped = [run(dropper.program(name), each) for each in every]
    usual.close()
    dropper.close()
    assert {each.value for each in passed} == {PASSES["mcast_xdp"]}
    assert {each.value for each in dropped} == {STOPS["mcast_xdp"]}
    assert [each.frame for each in dropped] == [each.frame for each in passed] == every
