"""What becomes of an agent's interfaces as links come, change and go, and attaching is refused."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.hooks import Hook
from mcastd.fastpath.passers import Passer
from mcastd.net.links import Snapshot
from mcastd.net.presence import Present
from mcastd.net.rtnetlink import AddressChanged, LinkChanged
from mcastd.service import clock, early, passing
from mcastd.service.config import Settings
from mcastd.service.interface_settings import MEMBERSHIP, PATHS
from mcastd.service.mode import Mode
from mcastd.service.owned import CONFIG
from mcastd.wire import Kind
from support.played_agent import INDEX, Played, a_link, events_of, packed, settings_for
from support.stepped import play

Story = Callable[[Played], Awaitable[None]]
HOST: dict[str, dict[str, Any]] = {"play0": {"mode": "host"}}


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(story: Story, sections: dict[str, dict[str, Any]] | None = None) -> None:
        async def whole() -> None:
            played = Played({"play0": {}} if sections is None else sections)
            try:
                await story(played)
            finally:
                played.close()

        play(monkeypatch, whole)

    return run


def attached(played: Played) -> list[int]:
    return [index for index, link in played.fast_path.attached.items() if link.is_attached()]


# Attaching.


@pytest.mark.parametrize(
    ("refusal", "problem"),
    [
        (
            OSError(errno.EBUSY, "Device or resource busy"),
            "cannot attach: another program is there",
        ),
        (FastPathError("play0: all 4 places are taken"), "play0: all 4 places are taken"),
    ],
)
def test_an_interface_that_cannot_be_attached_is_tried_again_until_it_can(
    tell: Callable[..., None], refusal: Any, problem: str
) -> None:
    async def story(played: Played) -> None:
        with played.watching() as watcher:
            played.fast_path.refusal = refusal
            await played.link(a_link("play0"))
            assert played.interface("play0").problem == problem
            assert attached(played) == []

            await asyncio.sleep(11)
            assert played.interface("play0").problem is None
            assert attached(played) == [INDEX]
            told = [(each["event"], each.get("state")) for each in await events_of(watcher)]
        assert told == [("problem", "began"), ("attached", None), ("problem", "over")]

    tell(story)


def test_an_interface_that_goes_makes_room_for_one_that_was_refused(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        played.fast_path.refusal = OSError(errno.ENOSPC, "No space left on device")
        await played.link(a_link("play1", INDEX + 1))
        assert attached(played) == [INDEX]
        await played.gone(INDEX)
        assert attached(played) == [INDEX + 1]

    tell(story, {"play0": {}, "play1": {}})


def test_a_program_that_somebody_detached_is_attached_anew(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        played.fast_path.attached[INDEX].detach()
        await asyncio.sleep(5)
        assert attached(played) == [INDEX]

    tell(story)


def test_another_hook_that_is_wanted_and_refused_leaves_the_kernel_to_speak(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        await played.address("192.0.2.10")
        await played.settle()
        assert played.interface("play0").mode is Mode.HOST

        played.fast_path.refusal = FastPathError("no such hook here")
        played.links.configure(settings_for({"play0": {"mode": "host", "hook": "tc"}}))
        await played.settle()
        assert played.interface("play0").mode is Mode.OBSERVE
        assert played.interface("play0").problem == "no such hook here"

        await asyncio.sleep(11)
        assert played.interface("play0").mode is Mode.HOST

    tell(story, HOST)


@pytest.mark.parametrize("hook", [Hook.XDP_NATIVE, Hook.TCX])
def test_a_device_that_cannot_be_run_says_why_and_is_taken_when_it_can(
    tell: Callable[..., None], hook: Hook
) -> None:
    async def story(played: Played) -> None:
        played.fast_path.hook = hook
        await played.link(a_link("play0", is_loopback=True))
        assert attached(played) == []
        assert played.interface("play0").problem
        await played.link(a_link("play0"))
        assert attached(played) == [INDEX]
        assert played.interface("play0").problem is None

    tell(story)


# Links.


def test_a_snapshot_takes_away_what_is_not_in_it(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        await played.link(a_link("play1", INDEX + 1))
        await played.address("192.0.2.10")
        address = AddressChanged(INDEX + 1, packed("192.0.2.20"), True)

        there = Snapshot((LinkChanged(a_link("play1", INDEX + 1)),), (address,))
        played.links.take(there)
        await played.settle()

        assert list(played.agent.by_index) == [INDEX + 1]
        assert attached(played) == [INDEX + 1]
        assert packed("192.0.2.10") not in played.fast_path.assigned[INDEX]
        assert packed("192.0.2.20") in played.fast_path.assigned[INDEX + 1]
        assert played.interface("play0").problem == "is not there"

    tell(story, {"play0": {}, "play1": {}})


def test_an_index_that_is_another_device_now_is_taken_as_that(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        first = played.fast_path.attached[INDEX]
        other = a_link("play0", hardware_address="02:00:00:00:00:99")
        played.links.take(Snapshot((LinkChanged(other),), ()))
        await played.settle()
        assert not first.is_attached()
        assert attached(played) == [INDEX]

    tell(story)


def test_a_carrier_that_went_and_came_unseen_is_told_both_ways(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0", carrier_losses=1))
        with played.watching() as watcher:
            await played.link(a_link("play0", carrier_losses=2))
            told = [e for e in await events_of(watcher) if e["event"] in ("link", "link_changed")]
        assert len(told) == 2

    tell(story)


def test_a_bond_that_fails_over_says_from_which_port_to_which(
    tell: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("port1", INDEX + 1))
        await played.link(a_link("port2", INDEX + 2))
        await played.link(a_link("play0", active_port=INDEX + 1))
        await played.link(a_link("play0", active_port=INDEX + 2))

    tell(story)
    assert "play0: the active port is port2 now, after port1" in caplog.messages


def test_when_counters_grew_last_goes_with_a_device_that_is_renamed(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        lost, rests = played.agent.look.losing, played.agent.streams.growing
        for number in range(2):
            lost.look(clock.now(), {"play0": {("query", "ring_full"): number}})
            rests.look(clock.now(), {"play0": {"fragments": number}})

        played.links.take([LinkChanged(a_link("wan0"), False)])

        assert [*lost.of("wan0"), *rests.of("wan0")] == [("query", "ring_full"), "fragments"]
        assert not lost.of("play0")

    tell(story)


def test_a_device_that_is_renamed_goes_on_with_what_the_name_had(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play1", INDEX + 1))
        await played.gone(INDEX + 1)
        await played.link(a_link("play0"))
        link = played.fast_path.attached[INDEX]
        await played.link(a_link("play1"))
        assert list(played.agent.interfaces) == ["play1"]
        assert played.interface("play1").index == INDEX
        assert link.is_attached(), "the device is the same"
        assert list(played.fast_path.counted) == ["play1"]

    tell(story, {"play0": {}, "play1": {}})


def test_a_link_that_resends_has_the_groups_reported_anew(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        with played.watching() as watcher:
            await played.link(a_link("play0"), resends=True)
            assert "announced" in [each["event"] for each in await events_of(watcher)]

    tell(story)


# What the kernel refuses.


def test_an_interface_that_fails_is_given_up_and_taken_up_again_and_no_other_is(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        for number in range(2):
            await played.link(a_link(f"play{number}", INDEX + number))

        def refused(ifindex: int, address: bytes, *, is_usable: bool = True) -> None:
            raise OSError(errno.ENODEV, "No such device")

        with monkeypatch.context() as patch:
            patch.setattr(played.fast_path, "assign", refused)
            played.links.failed(INDEX, OSError(errno.ENODEV, "No such device"))
        problem = played.interface("play0").problem
        assert problem == "was given up: No such device; it is tried again"
        assert attached(played) == [INDEX + 1]
        assert played.agent.faults.as_object()["interface"]["count"] == 1

        await asyncio.sleep(11)
        assert attached(played) == [INDEX, INDEX + 1]
        assert played.interface("play0").problem is None

    tell(story, {"play0": {}, "play1": {}})


# Settings.


def joining(*groups: str) -> Settings:
    """In host mode, as a file says it."""
    memberships = [{"group": group} for group in groups]
    paths = [Path("mcastd.toml")] * len(groups)
    return settings_for({"play0": {"mode": "host", MEMBERSHIP: memberships, PATHS: paths}})


def test_a_reload_joins_and_leaves_what_the_files_say(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        await played.address("192.0.2.10")
        await played.settle()

        def groups() -> set[str]:
            return {each.group for each in played.interface("play0").own.values()}

        played.links.configure(joining("239.5.5.5"))
        await played.settle()
        assert groups() == {"239.5.5.5"}
        assert played.machine.nic.groups == {(INDEX, packed("239.5.5.5"))}
        assert {each.application for each in played.interface("play0").own.values()} == {CONFIG}

        played.links.configure(settings_for(HOST))
        await played.settle()
        assert groups() == set()
        assert played.machine.nic.groups == set()

    tell(story, HOST)


def test_a_nic_whose_filter_is_full_is_told_and_the_other_groups_are_received(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        await played.address("192.0.2.10")
        await played.settle()
        add = played.machine.nic.add

        def some(index: int, group: bytes) -> None:
            if group == packed("239.5.5.5"):
                raise OSError(errno.ENOBUFS, "No buffer space available")
            add(index, group)

        monkeypatch.setattr(played.machine.nic, "add", some)
        played.links.configure(joining("239.5.5.5", "239.6.6.6"))
        await played.settle()
        assert {e.group for e in played.interface("play0").own.values()} == {"239.6.6.6"}
        (told,) = played.agent.faults.as_object().values()
        assert "239.5.5.5 is not received: No buffer space available" in str(told["text"])

    tell(story, HOST)


def test_an_interface_that_the_files_no_longer_name_is_let_go_and_taken_again(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        played.links.configure(settings_for({}))
        await played.settle()
        assert played.agent.interfaces == {}
        assert attached(played) == []

        played.links.configure(settings_for({"play0": {}}))
        await played.settle()
        assert attached(played) == [INDEX]

    tell(story)


# Before the agent is there.


class EarlyPrograms:
    """Programs that are not all loaded yet."""

    def __init__(self, refusals: dict[str, Exception]) -> None:
        self.refusals = refusals
        self.attached: list[str] = []
        self.assigned: set[tuple[int, bytes]] = set()
        self.has_waited = False

    def attach_early(self, name: str, *_arguments: Any, **_options: Any) -> None:
        if name in self.refusals:
            raise self.refusals[name]
        self.attached.append(name)

    def assign(self, ifindex: int, address: bytes) -> None:
        self.assigned.add((ifindex, address))

    def unassign(self, ifindex: int, address: bytes) -> None:
        self.assigned.discard((ifindex, address))

    def wait(self) -> None:
        self.has_waited = True


def test_interfaces_that_can_be_are_attached_early_and_know_their_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [
        Present(f"play{n}", n, "too small" if n == 3 else None, (bytes((192, 0, 2, n)),))
        for n in range(5)
    ]
    group = packed("239.1.1.1")
    monkeypatch.setattr(early, "present", lambda: there)
    monkeypatch.setattr(early, "users", lambda: {n: {group: 1} for n in range(5)})
    programs = EarlyPrograms({"play1": FastPathError("too many"), "play2": OSError(19, "gone")})
    named = settings_for({f"play{n}": {} for n in range(4)})

    early.attach_early(programs, named)  # type: ignore[arg-type]

    assert programs.attached == ["play0"]
    assert programs.assigned == {(0, bytes((192, 0, 2, 0))), (0, group)}
    assert programs.has_waited, "whether it is the programs that are refused"


# Who speaks above a cap.


def test_who_speaks_above_a_cap_is_named_as_far_as_it_is_known(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    guest, stranger = bytes.fromhex("020000000011"), bytes.fromhex("020000000012")
    own = bytes.fromhex("020000000007")
    there = [
        Present("play0", INDEX, None, (), own),
        Present("tap0", INDEX + 5, None, (), guest),
    ]
    monkeypatch.setattr(passing, "present", lambda: there)

    async def story(played: Played) -> None:
        await played.link(a_link("play0"))
        kind = Kind.IGMP_REPORT_3.value
        source = packed("192.0.2.9").ljust(16, b"\0")
        passers = [
            Passer(INDEX, kind, hardware, clock.now(), source)
            for hardware in (guest, stranger, own)
        ]
        passers.append(Passer(INDEX + 1, kind, guest, clock.now(), source))
        found = [text for text, _ in passing.findings(played.interface("play0"), passers)]
        assert [text.split("of ")[-1].split(" (")[0] for text in found] == [
            "tap0",
            "a guest in another network namespace or machine",
            "a program's own socket, or a guest behind ipvlan",
        ]
        assert all("version 3 leaves above the cap of 2" in text for text in found)
        await asyncio.sleep(601)
        assert list(passing.findings(played.interface("play0"), passers)) == []

    tell(story, {"play0": {"igmp_max_version": 2}})
