"""The guard as files have it, and as the programs are told it."""

from __future__ import annotations

from mcastd.fastpath.policies import Limit, Policy
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.service.guard import Guard
from mcastd.service.policy import policy_of

CONFIGS = {name: HostConfig.from_mapping(family, {}) for name, family in FAMILIES.items()}


def test_the_programs_are_told_every_limit() -> None:
    policy = policy_of(CONFIGS, Guard(1, 2, 3, 4, 5, 6, False), reports=True)

    assert policy == Policy(
        hand_over_reports=True,
        queries=Limit(1, 2),
        reports=Limit(3, 4),
        known_querier=Limit(5, 6),
    )


def test_without_a_file_the_limits_are_the_programs_own_and_floods_are_discarded() -> None:
    assert policy_of(CONFIGS, Guard(), reports=False) == Policy(discard_floods=True)


def test_a_mapping_changes_what_it_names() -> None:
    changed = Guard().changed({"query_limit": 7, "discard_floods": False})

    assert changed.as_mapping() == Guard().as_mapping() | {
        "query_limit": 7, "discard_floods": False
    }  # fmt: skip
