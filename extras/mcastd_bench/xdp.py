"""What a packet costs at the NIC, beside a program that does nothing (perf: BPF_PROG_TEST_RUN)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from mcastd.fastpath.policies import Limit, Policy
from mcastd.gmp.family import IGMP, MLD

from mcastd_bench import frames
from mcastd_bench.programs import Programs, Runs
from mcastd_bench.row import Contest, Row

UNLIMITED = Limit(0, 0)
SCANTY = Limit(1, 1)

LOOKS_ON = Policy()
HANDS_OVER = Policy(queries=UNLIMITED)
REFUSES = Policy(hand_over_reports=True, queries=SCANTY, reports=SCANTY)


def rows() -> Iterable[Row]:
    long_reports = partial(frames.reports, IGMP, frames.LONG_REPORT)
    sorts: dict[str, tuple[Policy, Callable[[], list[bytes]]]] = {
        "bystander": (LOOKS_ON, frames.bystanders),
        "report": (LOOKS_ON, partial(frames.reports, IGMP)),
        "report/long": (LOOKS_ON, long_reports),
        "report/v6": (LOOKS_ON, partial(frames.reports, MLD)),
        "query": (HANDS_OVER, partial(frames.queries, IGMP)),
        "query/v6": (HANDS_OVER, partial(frames.queries, MLD)),
        "report_flood": (REFUSES, partial(frames.reports, IGMP)),
        "query_flood": (REFUSES, partial(frames.queries, IGMP)),
    }
    for name, (policy, make) in sorts.items():
        yield Row(f"xdp.{name}", "ns", partial(_contest, policy, make))


def _contest(policy: Policy, make: Callable[[], list[bytes]]) -> Contest:
    programs = Programs(policy)
    every: Sequence[bytes] = make()
    return Contest(
        ours=Runs(programs, programs.classifier, every),
        baselines={"null": Runs(programs, programs.null, every)},
        close=programs.close,
    )
