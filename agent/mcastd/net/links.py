"""Interfaces and their addresses as the kernel tells of them: what there is, then what changes."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count

from mcastd.net.asking import ask_for_link
from mcastd.net.rtnetlink import (
    NLM_F_DUMP_INTR,
    AddressChanged,
    Change,
    Kind,
    LinkChanged,
    LinkGone,
    Message,
    change_of,
    dump_of_addresses,
    dump_of_links,
    error_of,
    messages,
)

log = logging.getLogger("mcastd")

GROUPS = 1 << 0 | 1 << 4 | 1 << 8
"""RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR: a burst of routes is not for us."""

ROOM = 8 << 20
"""Bytes of the kernel's that may wait to be read: some four thousand links."""

SO_RCVBUFFORCE = 33
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12

LARGEST = 256 << 10
"""Bytes of a datagram; the kernel's dumps are cut at 32 KiB."""

AT_ONCE = 8
"""Datagrams that are read in one turn of the loop, of a message each; of a dump, one."""

PAUSE_SECONDS = 0.1
"""After more came than could be taken, before what there is is looked at anew: most bursts end."""

RETRY_SECONDS = 5.0
"""When that cannot be had."""

DUMPS = 10
"""Attempts at a dump that nothing has changed meanwhile; then what is known must do."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All links and addresses there are: what is not in it is gone."""

    links: tuple[LinkChanged, ...]
    addresses: tuple[AddressChanged, ...]


class NetlinkError(OSError):
    """The kernel's answers cannot be had, or not whole."""


def opened() -> socket.socket:
    """A socket that tells of links and addresses as they change, in this thread's namespace."""
    sock = _netlink(GROUPS)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    return sock


def _netlink(groups: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.setblocking(False)
    sock.bind((0, groups))
    with suppress(OSError):  # then a dump has more than was asked for
        sock.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    return sock


def carrier_losses(index: int) -> int:
    """How often a link's carrier has gone so far. OSError if it is gone."""
    change = change_of(ask_for_link(index))
    if not isinstance(change, LinkChanged):
        raise NetlinkError(errno.EPROTO, "netlink: an answer is not about the link")
    return change.link.carrier_losses


class LinkWatcher:
    """What there is, by `snapshot`, and what changes from its opening on, by `changes`."""

    def __init__(self) -> None:
        """OSError if there is no netlink socket to be had."""
        self._socket = opened()
        self._buffer = bytearray(LARGEST)
        self._sequence = count(1)
        self.losses = 0
        """How often more changed than could be taken, so that all was looked at anew."""

    def close(self) -> None:
        self._socket.close()

    async def snapshot(self) -> Snapshot:
        """Links and addresses as they are; what changes meanwhile comes through `changes`.

        OSError if the kernel does not tell.
        """
        links = await self._dump(dump_of_links)
        addresses = await self._dump(dump_of_addresses)
        return Snapshot(
            tuple(each for each in links if isinstance(each, LinkChanged)),
            tuple(each for each in addresses if isinstance(each, AddressChanged)),
        )

    async def probed(self, index: int) -> list[AddressChanged]:
        """The addresses of a link that are still probed: the kernel tells of them afterwards.

        OSError if the kernel does not tell.
        """
        found = await self._dump(partial(dump_of_addresses, index=index))
        mine = (each for each in found if isinstance(each, AddressChanged) and each.is_probed)
        return [each for each in mine if each.index == index]

    async def changes(self) -> AsyncIterator[list[Change] | Snapshot]:
        """For ever: a few changes at a time, each thing told once; or all, if some were lost."""
        while True:
            await readable(self._socket)
            try:
                batch = self._read()
            except OSError as error:
                yield await self._anew(error)
                continue
            if batch:
                yield batch
            await asyncio.sleep(0)  # a burst would keep the loop from its turns

    def _read(self) -> list[Change]:
        """What waits, as far as one turn takes it. OSError if something was lost."""
        found: list[Change] = []
        for _ in range(AT_ONCE):
            try:
                found += filter(None, map(change_of, self._receive(self._socket)))
            except BlockingIOError:
                break
        return latest(found)

    def _receive(self, sock: socket.socket) -> list[Message]:
        """The messages of one datagram; none if it is not the kernel's. OSError if it is cut."""
        size, _, flags, (port, _) = sock.recvmsg_into([self._buffer])
        if flags & socket.MSG_TRUNC:
            raise NetlinkError(errno.EMSGSIZE, "a netlink message is too long")
        return list(messages(memoryview(self._buffer)[:size])) if port == 0 else []

    async def _anew(self, error: OSError) -> Snapshot:
        """Follows on from now, and looks at all that there is; tries until the kernel tells."""
        self.losses += 1
        log.warning("netlink: %s: all links and addresses are looked at anew", said(error))
        pause = PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                self._follow_on()
                return await self.snapshot()
            except OSError as again:
                pause = RETRY_SECONDS
                log.warning("netlink: %s: tried again in %.0f s", said(again), pause)

    def _follow_on(self) -> None:
        """What the old socket still holds is older than what is asked for next."""
        fresh = opened()
        self._socket.close()
        self._socket = fresh

    async def _dump(self, request: Callable[[int], bytes]) -> list[Change]:
        """Asked again while it changed under the kernel's hand."""
        found: list[Change] = []
        for _ in range(DUMPS):
            with closing(_netlink(0)) as sock:
                found, whole = await self._answer(sock, request(next(self._sequence)))
            if whole:
                break
        return found

    async def _answer(self, sock: socket.socket, request: bytes) -> tuple[list[Change], bool]:
        """One dump, and whether nothing changed meanwhile."""
        sock.send(request)
        found: list[Change] = []
        whole = True
        while True:
            await readable(sock)
            for message in self._receive(sock):
                whole = whole and not message.flags & NLM_F_DUMP_INTR
                if message.type == Kind.ERROR or (message.type == Kind.DONE and error_of(message)):
                    code = error_of(message)
                    if code not in (errno.EINTR, errno.EAGAIN, errno.EBUSY):
                        raise NetlinkError(code, "netlink: a dump was refused")
                    return found, False
                if message.type == Kind.DONE:
                    return found, whole
                change = change_of(message)
                if change is not None:
                    found.append(change)


def latest(changes: Iterable[Change]) -> list[Change]:
    """What is true in the end, in the order in which it came to be so.

    A link that went is told before one that came with its index, and its addresses with it.
    """
    found: dict[tuple[int, bytes | str], Change] = {}
    for change in changes:
        match change:
            case LinkChanged(link):
                # Down and up again is not nothing: each is told once.
                key: tuple[int, bytes | str] = (link.index, "up" if link.is_running else "down")
                earlier = found.get(key)
                if isinstance(earlier, LinkChanged):
                    change = LinkChanged(link, earlier.resends or change.resends)  # noqa: PLW2901
            case LinkGone(index):
                found = {each: told for each, told in found.items() if each[0] != index}
                key = (index, "gone")
            case AddressChanged():
                key = (change.index, change.address)
        found.pop(key, None)
        found[key] = change
    return list(found.values())


def said(error: OSError) -> str:
    if error.errno == errno.ENOBUFS:
        return "more changed at once than could be taken"
    return error.strerror or str(error)


def finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def readable(sock: socket.socket) -> None:
    """Until there is something to be read, or an error to be had."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.add_reader(sock, finish, future)
    try:
        await future
    finally:
        loop.remove_reader(sock)
