"""API-06: the delta operations of RFC 3678 §4.1, which scenarios do not have."""

from __future__ import annotations

from random import Random

import pytest
from mcastd.gmp.config import HostConfig
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import Refused, SendRecords
from mcastd.gmp.events import Change, ChangeListening, Listen
from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.host import Host
from mcastd.gmp.time import Instant
from mcastd.native import SourceList

pytestmark = pytest.mark.requirement("API-06")

GROUPS = {"igmp": "239.1.2.3", "mld": "ff15::abcd"}
SOURCES = {"igmp": "198.51.100.{}", "mld": "2001:db8::{}"}
NOT_A_GROUP = {"igmp": "192.0.2.9", "mld": "2001:db8::9"}
SSM = {"igmp": "232.1.1.1", "mld": "ff35::1"}

JOIN, LEAVE = Change.JOIN_GROUP, Change.LEAVE_GROUP
JOIN_SOURCE, LEAVE_SOURCE = Change.JOIN_SOURCE, Change.LEAVE_SOURCE
BLOCK, UNBLOCK = Change.BLOCK_SOURCE, Change.UNBLOCK_SOURCE


class Application:
    """One application on one host."""

    def __init__(self, name: str) -> None:
        self.family: ProtocolFamily = FAMILIES[name]
        config = HostConfig.from_mapping(self.family, {"max_sources_per_filter": 64})
        self.host = Host(self.family, config, RandomDelays(Random(1)))
        self.group = self.family.parse(GROUPS[name])
        self.now = 0

    def source(self, number: int) -> Address:
        return self.family.parse(SOURCES[self.family.name].format(number))

    def asks(self, change: Change, source: int | None = None, group: str = "") -> str:
        """The errno of the refusal, or the records that are sent as `TO_EX 1,2`."""
        self.now += 60_000_000_000
        event = ChangeListening(
            "a",
            change,
            self.family.parse(group) if group else self.group,
            None if source is None else self.source(source),
        )
        before = self.host.groups.get(self.group)
        self.host.advance(Instant(self.now))
        effects = self.host.handle(Instant(self.now), event)
        for effect in effects:
            if isinstance(effect, Refused):
                assert self.host.groups.get(self.group) == before
                return effect.code
        sent = [each for each in effects if isinstance(each, SendRecords)]
        return " ".join(each.type.name for message in sent for each in message.records)

    def filter(self) -> tuple[str, set[Address]] | None:
        found = self.host.groups.get(self.group)
        return None if found is None else (found.mode.value, set(found.sources))

    def sources(self, *numbers: int) -> set[Address]:
        return {self.source(number) for number in numbers}


@pytest.fixture(params=FAMILIES)
def application(request: pytest.FixtureRequest) -> Application:
    return Application(request.param)


def test_a_group_is_joined_and_left(application: Application) -> None:
    assert application.asks(JOIN) == "CHANGE_TO_EXCLUDE_MODE"
    assert application.filter() == ("exclude", set())
    assert application.asks(LEAVE) == "CHANGE_TO_INCLUDE_MODE"
    assert application.filter() is None


def test_a_group_is_not_joined_twice(application: Application) -> None:
    application.asks(JOIN)
    assert application.asks(JOIN) == "EADDRINUSE"


def test_what_was_not_joined_is_not_left(application: Application) -> None:
    assert application.asks(LEAVE) == "EADDRNOTAVAIL"
    assert application.asks(LEAVE_SOURCE, 1) == "EADDRNOTAVAIL"


def test_sources_are_joined_and_left_one_by_one(application: Application) -> None:
    assert application.asks(JOIN_SOURCE, 1) == "ALLOW_NEW_SOURCES"
    assert application.asks(JOIN_SOURCE, 2) == "ALLOW_NEW_SOURCES"
    assert application.filter() == ("include", application.sources(1, 2))
    assert application.asks(LEAVE_SOURCE, 1) == "BLOCK_OLD_SOURCES"
    assert application.filter() == ("include", application.sources(2))


def test_leaving_the_last_source_leaves_the_group(application: Application) -> None:
    application.asks(JOIN_SOURCE, 1)
    assert application.asks(LEAVE_SOURCE, 1) == "BLOCK_OLD_SOURCES"
    assert application.filter() is None
    assert application.asks(LEAVE) == "EADDRNOTAVAIL"


def test_leaving_the_group_leaves_all_its_sources(application: Application) -> None:
    application.asks(JOIN_SOURCE, 1)
    application.asks(JOIN_SOURCE, 2)
    assert application.asks(LEAVE) == "BLOCK_OLD_SOURCES"
    assert application.filter() is None


def test_a_source_is_joined_once_and_left_once(application: Application) -> None:
    application.asks(JOIN_SOURCE, 1)
    assert application.asks(JOIN_SOURCE, 1) == "EADDRNOTAVAIL"
    assert application.asks(LEAVE_SOURCE, 2) == "EADDRNOTAVAIL"


def test_sources_of_a_joined_group_are_blocked_and_unblocked(application: Application) -> None:
    application.asks(JOIN)
    assert application.asks(BLOCK, 1) == "BLOCK_OLD_SOURCES"
    assert application.filter() == ("exclude", application.sources(1))
    assert application.asks(BLOCK, 1) == "EADDRNOTAVAIL"
    assert application.asks(UNBLOCK, 2) == "EADDRNOTAVAIL"
    assert application.asks(UNBLOCK, 1) == "ALLOW_NEW_SOURCES"
    assert application.filter() == ("exclude", set())


def test_unblocking_the_last_source_does_not_leave_the_group(application: Application) -> None:
    application.asks(JOIN)
    application.asks(BLOCK, 1)
    application.asks(UNBLOCK, 1)
    assert application.asks(LEAVE) == "CHANGE_TO_INCLUDE_MODE"


@pytest.mark.parametrize("change", [JOIN_SOURCE, LEAVE_SOURCE])
def test_calls_for_sources_do_not_mix_with_a_joined_group(
    application: Application, change: Change
) -> None:
    application.asks(JOIN)
    assert application.asks(change, 1) == "EINVAL"


@pytest.mark.parametrize("change", [BLOCK, UNBLOCK])
def test_blocking_does_not_mix_with_joined_sources(
    application: Application, change: Change
) -> None:
    application.asks(JOIN_SOURCE, 1)
    assert application.asks(change, 1) == "EINVAL"


def test_more_sources_than_the_limit_are_refused(application: Application) -> None:
    for number in range(1, 65):
        assert application.asks(JOIN_SOURCE, number) == "ALLOW_NEW_SOURCES"
    assert application.asks(JOIN_SOURCE, 65) == "ENOBUFS"


def test_only_groups_are_joined(application: Application) -> None:
    group = NOT_A_GROUP[application.family.name]
    assert application.asks(JOIN, group=group) == "EINVAL"
    assert application.asks(JOIN_SOURCE, 1, group=group) == "EINVAL"


def test_a_source_specific_group_is_joined_by_its_sources_only(application: Application) -> None:
    """SSM-02."""
    group = SSM[application.family.name]
    assert application.asks(JOIN, group=group) == "EINVAL"
    assert application.asks(JOIN_SOURCE, 1, group=group) == "ALLOW_NEW_SOURCES"


def test_delta_operations_go_on_from_a_whole_request(application: Application) -> None:
    listed = SourceList.of([application.source(1)], application.family.address_width)
    request = Listen("a", application.group, SourceFilter(FilterMode.INCLUDE, listed))
    application.host.handle(Instant(0), request)
    assert application.asks(JOIN_SOURCE, 1) == "EADDRNOTAVAIL"
    assert application.asks(JOIN_SOURCE, 2) == "ALLOW_NEW_SOURCES"
    assert application.filter() == ("include", application.sources(1, 2))
