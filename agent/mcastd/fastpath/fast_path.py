"""Holds the attachments, policies, counters and rings of all interfaces in one class."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mcastd import manager
from mcastd.fastpath.assigned import Assigned
from mcastd.fastpath.attach import Attachment, attach
from mcastd.fastpath.counters import RINGS, Counters, Reader, clear
from mcastd.fastpath.errors import FastPathError, explained
from mcastd.fastpath.hooks import HookChoice
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.listed import Listed
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.passers import Passer, passers
from mcastd.fastpath.policies import Policies, Policy, bits
from mcastd.fastpath.probe import ask
from mcastd.fastpath.programs import begin_loading
from mcastd.fastpath.resuming import resumed
from mcastd.fastpath.ring import Ring
from mcastd.fastpath.slots import Slots
from mcastd.fastpath.sockets import Sockets
from mcastd.fastpath.store import Store
from mcastd.fastpath.streams import Streams, obtain_streams

if TYPE_CHECKING:
    from socket import socket

SOL_SOCKET, SO_COOKIE = 1, 57

LINK_LOCAL = b"\xfe\x80"
"""How the addresses begin that MLD's messages come from (RFC 3810 §5)."""


class FastPath:
    """All interfaces' programs, counters and rings.

    `sockets`: what the kernel's sockets have joined, once all is loaded; None if this kernel or its
    rights do not let us see that, and then `sockets_problem` says why.
    `refused`: what a map had no room for, by the map's name. `streams`: if they can be counted;
    `streams_problem`: why they cannot, where that was asked for.
    """

    def __init__(self, kernel: Kernel, store: Store | None = None) -> None:
        """`kernel`: its programs may still be loading; call `wait` before rights are given up.

        `store`: what an agent before this one has left, of which `kernel` has the maps. Closes the
        kernel's side when it is closed itself. FastPathError if the rings are refused.
        """
        self._kernel = kernel
        self._store = store
        try:
            self.rings = {name: Ring(self._kernel.maps[f"{name}_events"]) for name in RINGS}
        except OSError as error:
            self._kernel.close()
            raise FastPathError(explained(error)) from error
        self.refused: Counter[str] = Counter()
        self._policies = Policies(kernel.maps)
        self._listed = Listed(kernel.maps["listed"])
        self._counters = Reader(kernel.maps["counters"])
        record = store.record if store is not None else None
        self._slots = Slots(
            kernel.maps["counters"].spec.entries,
            partial(clear, kernel.maps["counters"]),
            record,
            dirty=store is not None,
        )
        self._addresses = Assigned(kernel.maps, self.refused, is_anew=record is not None)
        self._in_force: dict[int, tuple[int, Policy]] = {}
        self._unclaimed: dict[int, tuple[str, Attachment]] = {}
        self.asking = b"\x02" + os.urandom(5)
        """The hardware address that questions to the kernel come from: nobody else knows it."""
        self.sockets: Sockets | None = None
        self.sockets_problem: str | None = None
        self._split: set[int] = set()
        self.streams: Streams | None = None
        self.streams_problem: str | None = None
        self._is_settled = record is None

    def open_streams(self, say: Callable[[str], None], most: int, pairs: int = 1) -> None:
        """Makes ready to count so many streams, and pairs of them.

        As long as there are rights to load programs. `say` is told what takes long.
        """
        try:
            made = Streams(self._kernel, obtain_streams(say), most, self._slots.entries, pairs)
        except FastPathError as error:
            self.streams_problem = str(error)
            return
        try:
            made.load()
        except OSError as error:
            self.streams_problem = explained(error)
            made.close()
        else:
            self.streams = made

    def wait(self) -> None:
        """Until all programs are loaded: rights to load them are not needed any more.

        FastPathError if the kernel refuses those that every interface needs. Who needs one of the
        others will be told.
        """
        self._kernel.wait()
        try:
            for name in ("mcast_xdp", "mcast_egress"):
                self._kernel.program(name)
        except OSError as error:
            raise FastPathError(explained(error)) from error
        self._look_at_sockets()

    def _look_at_sockets(self) -> None:
        """Only now: it takes rights that are given up when all is loaded."""
        if self.sockets is not None or self.sockets_problem is not None:
            return
        try:
            self.sockets = Sockets(self._kernel)
        except OSError as error:
            self.sockets_problem = error.strerror or str(error)

    @classmethod
    def open(cls, say: Callable[[str], None]) -> FastPath:
        """Compiles if need be, and loads. `say` is told what takes long."""
        made = cls(begin_loading(obtain(say)))
        made.wait()
        return made

    def attach_early(
        self,
        name: str,
        ifindex: int,
        policy: Policy,
        choice: HookChoice = HookChoice.AUTO,
        *,
        streams: bool = False,
    ) -> None:
        """As `attach`, for whoever will call that later: counting begins, events wait."""
        made = self.attach(name, ifindex, policy, choice, streams=streams)
        self._unclaimed[ifindex] = (name, made)

    def close_unclaimed(self) -> None:
        """Gives up what was attached early, or before, and nobody wants: the link has changed."""
        for ifindex, (_, attachment) in list(self._unclaimed.items()):
            attachment.close()
            self.forget(ifindex)
        self._unclaimed.clear()
        if self._store is None or self._is_settled:
            return
        self._is_settled = True
        self._store.settle()
        self._addresses.settle()
        self._slots.leave_all_but(slot for slot, _ in self._in_force.values())

    def outlast(
        self,
        attachments: Iterable[tuple[str, Attachment]],
        *,
        patience: float = manager.PATIENCE_SECONDS,
    ) -> bool:
        """Has the service manager keep what is attached now, by the names of the interfaces.

        Whether it does: what it keeps goes on when this process ends, if another is started then.
        `patience`: seconds that may be waited for a manager that reads slowly.
        """
        if self._store is None or not manager.is_there():
            return False
        state = self._slots.entries, self._slots.by_name, self._slots.gone
        besides = self.streams.needed() if self.streams is not None else ()
        with suppress(OSError):  # it does not listen now: what is not kept ends with this process
            self._store.keep(state, self._kernel.maps, besides, attachments, patience=patience)
        return self._store.is_kept

    def attach(
        self,
        name: str,
        ifindex: int,
        policy: Policy,
        choice: HookChoice = HookChoice.AUTO,
        *,
        streams: bool = False,
    ) -> Attachment:
        """Attaches to both directions of an interface, whose counters go on under its name.

        With `streams` they are counted, if `open_streams` could make that ready.

        What was attached early is what its caller gets. OSError with the kernel's reason if no hook
        is free; FastPathError if there is no place, or the hook that was chosen is not to be had.
        """
        early_name, early = self._unclaimed.pop(ifindex, ("", None))
        if early is not None and early_name == name:
            self.set_policy(ifindex, policy)
            return early
        if early is not None:
            early.close()
        self._take_over_name(ifindex, name)
        self._in_force[ifindex] = (self._slots.take(name), policy)
        self._split.discard(ifindex)  # what was attached before may have shared the work
        try:
            counting = self.streams if streams else None
            if counting is not None:
                counting.begin(ifindex)
            split = partial(self._set_split, ifindex)
            before = resumed(
                self._kernel, self._store, ifindex, choice, split=split, streams=counting
            )
            if before is not None:
                return before
            self._write_policy(ifindex)
            return attach(self._kernel, ifindex, choice, split, counting)
        except (OSError, FastPathError):
            self.forget(ifindex)
            raise

    def _take_over_name(self, ifindex: int, name: str) -> None:
        """It may have been given another while no agent was there."""
        kept = self._store.attached(ifindex) if self._store is not None else None
        if kept is not None and kept.name != name:
            self._slots.rename(kept.name, name)

    def forget(self, ifindex: int) -> None:
        """The interface is no longer ours; its links are closed by their owner."""
        slot, _ = self._in_force.pop(ifindex, (None, None))
        self._split.discard(ifindex)
        self._policies.leave(ifindex)
        self._listed.tidy(ifindex)
        if self.streams is not None:
            self.streams.end(ifindex)
        self._slots.leave(slot)

    def forget_gone(self, most: int) -> None:
        """Keeps the counters of only so many interfaces that are gone, the latest."""
        self._slots.forget_gone(most)

    def rename(self, old: str, new: str) -> None:
        """Counters go on under the new name, and those that it has from a device that is gone."""
        slot = self._slots.by_name.get(old)
        self._slots.rename(old, new)
        if slot == self._slots.by_name.get(new):
            return
        for ifindex, (each, policy) in list(self._in_force.items()):
            if each == slot:
                self._slots.leave(slot)
                self._in_force[ifindex] = (self._slots.take(new), policy)
                self._write_policy(ifindex)

    def policy(self, ifindex: int) -> Policy:
        return self._in_force[ifindex][1]

    def set_policy(self, ifindex: int, policy: Policy) -> None:
        slot, _ = self._in_force[ifindex]
        self._in_force[ifindex] = (slot, policy)
        self._write_policy(ifindex)

    def _set_split(self, ifindex: int, on: bool) -> None:
        """Whether two programs share the ingress side of the interface."""
        (self._split.add if on else self._split.discard)(ifindex)
        self._write_policy(ifindex)

    def _write_policy(self, ifindex: int) -> None:
        """The interface's policy, with what tells its own addresses and its queriers from most."""
        if ifindex not in self._in_force:
            return
        slot, policy = self._in_force[ifindex]
        unicast = self._addresses.unicast.get(ifindex, {})
        usable = [each for each, usable in unicast.items() if usable]
        policy = policy._replace(
            asking=self.asking,
            has_ipv4=any(len(each) == 4 for each in usable),
            has_ipv6=any(each[:2] == LINK_LOCAL for each in usable if len(each) == 16),
            tags_taken_out=ifindex in self._split,
        )
        policy = self._listed.put(ifindex, policy)
        own, queriers = bits(unicast), bits(self._addresses.queriers.get(ifindex, ()))
        self._policies.put(ifindex, slot, policy, own, queriers)
        self._listed.tidy(ifindex, policy)
        self.refused["listed"] = self._listed.refused

    def hand_over_reports(self, on: bool) -> None:
        """Whether other hosts' reports are events too, or only counted."""
        for ifindex, (_, policy) in list(self._in_force.items()):
            if policy.hand_over_reports != on:
                self.set_policy(ifindex, policy._replace(hand_over_reports=on))

    def beat(self, until: int) -> None:
        """The programs may act on traffic until this instant (ns of CLOCK_MONOTONIC)."""
        self._kernel.maps["heartbeat"].update(index_key(0), struct.pack("=Q", until))

    def own(self, sock: socket) -> None:
        """What this socket sends is the agent's own."""
        cookie = sock.getsockopt(SOL_SOCKET, SO_COOKIE, 8)
        self._kernel.maps["own_sockets"].update(cookie, index_key(1))

    def assign(self, ifindex: int, address: bytes, *, is_usable: bool = True) -> None:
        """The address, or joined group, is assigned to the interface.

        `is_usable`: false while nothing but reports may come from the address.

        What there is no room for is counted: a query for the group is refused then, as one for a
        stranger's.
        """
        if self._addresses.assign(ifindex, address, is_usable=is_usable):
            self._write_policy(ifindex)

    def delay(self, ifindex: int, group: bytes, *, delaying: bool) -> None:
        """Whether other hosts' older reports for the group are handed over: its own is due."""
        self._addresses.delay(ifindex, group, delaying=delaying)

    def know_querier(self, ifindex: int, address: bytes, *, known: bool = True) -> None:
        """The querier's queries are handed over however many others there are, or no longer so."""
        self._addresses.know_querier(ifindex, address, known=known)
        self._write_policy(ifindex)

    def unassign(self, ifindex: int, address: bytes) -> None:
        if self._addresses.unassign(ifindex, address):
            self._write_policy(ifindex)

    def inject(self, ifindex: int, frame: bytes) -> None:
        """Hands a frame to this host alone, as if the interface had received it. OSError."""
        self._kernel.program("mcast_inject").run_live(ifindex, frame)

    def probe(self, ifindex: int) -> None:
        """Has the interface's program see a question of the agent's own, and nobody else.

        It comes out of the ring of queries with the fate PROBE, if all is well. OSError if the
        kernel cannot run the program so.
        """
        ask(self._kernel.program("mcast_xdp"), ifindex, self.asking)

    def is_drained(self) -> bool:
        """Whether all queries that were handed over have been taken."""
        return self.rings["query"].waiting() == 0

    def counters(self) -> dict[str, Counters]:
        """Of each interface by name, also of those that are gone; one call into the kernel."""
        used = max(self._slots.by_name.values(), default=-1) + 1
        values = self._counters.read(used)
        return {name: values[slot] for name, slot in self._slots.by_name.items()}

    def passers(self) -> list[Passer]:
        """Who lately reported beside the agent where the kernel's own reports are held back."""
        return list(passers(self._kernel.maps["passers"]))

    def close(self) -> None:
        self.close_unclaimed()
        for ring in self.rings.values():
            ring.close()
        if self.sockets is not None:
            self.sockets.close()
        if self.streams is not None:
            self.streams.close()
        self._kernel.close()


def index_key(ifindex: int) -> bytes:
    return struct.pack("=I", ifindex)
