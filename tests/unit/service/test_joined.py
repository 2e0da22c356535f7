"""What is made of the sockets that were found, and of how many the kernel counts."""

from __future__ import annotations

from ipaddress import ip_address

from mcastd.fastpath.sockets import SocketPart
from mcastd.gmp.filters import SourceFilter, exclude, include
from mcastd.native import SourceList
from mcastd.net.proc import Users
from mcastd.service.joined import Joined, changes, held

ETH0 = 3
GROUP = ip_address("239.1.1.1").packed
A, B, C = (ip_address(f"10.0.0.{i}").packed for i in (1, 2, 3))
EXCLUDE, INCLUDE = 0, 1
ANYTHING = exclude(SourceList(b"", 4))


def part(
    sock: int, mode: int, *sources: bytes, pid: int = 10, total: int | None = None, first: int = 0
) -> SocketPart:
    total = len(sources) if total is None else total
    listed = b"".join(sources)
    return SocketPart(sock, 1, pid, 1000, "vlc", ETH0, mode, total, first, GROUP, listed)


def counted(users: int) -> Users:
    return {ETH0: {GROUP: users}}


def found(*parts: SocketPart, users: int, before: int | None = None) -> Joined:
    earlier = users if before is None else before
    return held(counted(earlier), parts, counted(users))[ETH0][GROUP]


def only(*sources: bytes) -> SourceFilter:
    return include(SourceList.of(sources, 4))


def test_all_sockets_found_make_an_exact_filter_with_its_holders() -> None:
    joined = found(part(1, INCLUDE, A), part(2, INCLUDE, B, pid=11), users=2)

    assert joined.is_exact
    assert joined.filter == only(A, B)
    assert [(each.name, each.pid, each.uid, each.filter) for each in joined.holders] == [
        ("vlc", 10, 1000, only(A)),
        ("vlc", 11, 1000, only(B)),
    ]


def test_a_socket_that_two_processes_hold_is_one_user() -> None:
    joined = found(part(1, INCLUDE, A), part(1, INCLUDE, A, pid=11), users=1)

    assert joined.is_exact
    assert [each.pid for each in joined.holders] == [10, 11]


def test_a_list_in_parts_is_one_list() -> None:
    joined = found(part(1, INCLUDE, A, B, total=3), part(1, INCLUDE, C, total=3, first=2), users=1)

    assert joined.is_exact
    assert joined.filter == only(A, B, C)


def test_what_is_not_found_may_want_anything() -> None:
    """A socket under way between two processes, a user in the kernel, a list that is not told to
    its end, a count that changed meanwhile."""
    for joined in (
        found(part(1, INCLUDE, A), users=2),
        found(users=1),
        found(part(1, INCLUDE, A, B, total=3), users=1),
        found(part(1, INCLUDE, A), users=1, before=2),
        held(counted(1), None, counted(1))[ETH0][GROUP],
    ):
        assert not joined.is_exact
        assert joined.filter == ANYTHING


def test_what_was_joined_and_left_meanwhile_is_not_there() -> None:
    assert held({}, [part(1, INCLUDE, A)], {ETH0: {}}) == {ETH0: {}}


def test_only_what_is_otherwise_than_known_is_a_change() -> None:
    one, two = found(part(1, INCLUDE, A), users=1), found(part(1, INCLUDE, B), users=1)
    other = ip_address("239.1.1.2").packed

    assert changes({ETH0: {GROUP: one}}, {ETH0: {GROUP: one}}) == []
    assert changes({ETH0: {GROUP: one}}, {ETH0: {GROUP: two}}) == [(ETH0, GROUP, two)]
    assert changes({ETH0: {other: one}}, {ETH0: {}}) == [(ETH0, other, None)]
    assert changes({ETH0: {GROUP: one}}, {}) == [(ETH0, GROUP, None)]
    assert changes({}, {ETH0: {GROUP: one}}) == []  # an interface that is not run
