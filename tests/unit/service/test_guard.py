"""The guard as files have it, and as the programs are told it."""

from __future__ import annotations

from mcastd.fastpath import Limit, Policy
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.service.agent import policy_of
from mcastd.service.guard import Guard
from mcastd.service.interface import Interface


def interface(guard: Guard, mode: str = "observe") -> Interface:
    configs = {name: HostConfig.from_mapping(family, {}) for name, family in FAMILIES.items()}
    return Interface("eth0", configs, guard, mode)


def test_the_programs_are_told_every_limit() -> None:
    policy = policy_of(interface(Guard(1, 2, 3, 4, 5, 6, False), "host"), reports=True)

    assert policy == Policy(
        host_mode=True,
        hand_over_reports=True,
        queries=Limit(1, 2),
        reports=Limit(3, 4),
        known_querier=Limit(5, 6),
    )


def test_without_a_file_the_limits_are_the_programs_own_and_floods_are_discarded() -> None:
    assert policy_of(interface(Guard()), reports=False) == Policy(discard_floods=True)


def test_a_mapping_changes_what_it_names() -> None:
    changed = Guard().changed({"query_limit": 7, "discard_floods": False})

    assert changed.as_mapping() == Guard().as_mapping() | {
        "query_limit": 7, "discard_floods": False
    }  # fmt: skip
