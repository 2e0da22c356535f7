"""Has the service manager keep maps and links, so that they outlast a restart of the agent.

The programs go on counting meanwhile, and hand over what waits then for the next agent; they hold
nothing back without a heartbeat. That agent loads its own programs, which take the place of the
earlier ones in their links at once. Only what was counted and what is under way is taken over: all
else is made anew. What is laid out otherwise than here is given up, and never read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from mcastd import manager
from mcastd._libbpf import lib
from mcastd.fastpath.kernel import Descriptor, Link, Map, Program, link_state
from mcastd.fastpath.objects import MapSpec
from mcastd.fastpath.record import KEPT_MAPS, KeptAttachment, KeptLink, Record, layout

PREFIX = "mcastd-"
RECORD = f"{PREFIX}record-"
LARGEST_RECORD = 1 << 22


class Wanted(NamedTuple):
    """What is to be kept. `descriptors`: all of it; the other fields: for the record."""

    descriptors: list[Descriptor]
    maps: Mapping[str, Map]
    room: int
    slots: Mapping[str, int]
    gone: tuple[str, ...]
    attachments: list[tuple[str, Any]]

    @classmethod
    def of(
        cls,
        state: tuple[int, Mapping[str, int], Iterable[str]],
        maps: Mapping[str, Map],
        besides: Iterable[Descriptor],
        attachments: Iterable[tuple[str, Any]],
    ) -> Wanted:
        """Of what `Store.keep` is given: only those maps that outlast an agent."""
        room, slots, gone = state
        maps = {name: each for name, each in maps.items() if name in KEPT_MAPS}
        attached = list(attachments)
        links = [each for _, of in attached for each in of.links if isinstance(each, Link)]
        return cls([*maps.values(), *besides, *links], maps, room, slots, tuple(gone), attached)


class Store:
    """What was handed over to this process, and what is to be kept of it.

    `record`: what the agent before has left; None without one. `complaint`: why what it has left
    cannot be used.
    """

    def __init__(self, handed_over: Mapping[str, int] | None = None) -> None:
        """Of what the service manager has handed over, by name."""
        given = manager.handed_over() if handed_over is None else handed_over
        self._inherited = {
            name: Descriptor(fd) for name, fd in given.items() if name.startswith(PREFIX)
        }
        self._there = set(self._inherited)
        self._names: WeakKeyDictionary[Descriptor, str] = WeakKeyDictionary()
        self._kept_as: tuple[Any, ...] = ()
        self.is_kept = False
        """Whether all is kept that the interfaces have now."""
        self.complaint: str | None = None
        self.record: Record | None = None
        self._following = max(map(number_in, given), default=0)
        try:
            self.record = self._read()
        except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
            self._refuse(str(error))
        if self.record is not None:
            self._following = max(self._following, self.record.following)
        self._attachments = {
            each.ifindex: each for each in (self.record.attachments if self.record else ())
        }

    def _read(self) -> Record | None:
        """The latest record; whoever was killed while it replaced one has left two."""
        records = [name for name in self._inherited if name.startswith(RECORD)]
        if not records:
            if self._inherited:
                raise ValueError("there is no record of it")
            return None
        fd = self._inherited[max(records, key=number_in)].fd
        document = json.loads(os.pread(fd, LARGEST_RECORD, 0))
        if document["layout"] != layout():
            raise ValueError("it is laid out otherwise, by another version")
        return Record.from_json(document)

    def _refuse(self, why: str) -> None:
        """Gives up all that was handed over: its links end, whoever else keeps them."""
        self.complaint = f"what the agent before this one has left is not used: {why}"
        for each in self._inherited.values():
            detach(each)
        self._inherited = {}
        self.record, self._attachments = None, {}

    # What is taken over.

    def maps(self, specs: Iterable[MapSpec]) -> dict[str, Map]:
        """Those of these maps that are there already: all, or none if one is made otherwise."""
        if self.record is None:
            return {}
        found: dict[str, Map] = {}
        try:
            for spec in specs:
                if spec.name in KEPT_MAPS:
                    name = self.record.maps[spec.name]
                    found[spec.name] = made = Map.kept(spec, os.dup(self._inherited[name].fd))
                    self._names[made] = name
        except (OSError, LookupError) as error:
            for each in found.values():
                each.close()
            self._refuse(str(error))
            return {}
        return found

    def attached(self, ifindex: int) -> KeptAttachment | None:
        """What is attached to the interface, until it is taken."""
        return self._attachments.get(ifindex)

    def take(self, ifindex: int) -> KeptAttachment | None:
        """What was attached to the interface, the first time that this is asked."""
        return self._attachments.pop(ifindex, None)

    def exchange(self, kept: KeptLink, ifindex: int, program: Program) -> Link:
        """The link, with this program in it. If it cannot be: KeyError or OSError, as it was."""
        found = self._inherited[kept.name or ""]
        link = Link.kept(found.fd, kept.id, ifindex, program)
        del self._inherited[kept.name or ""]
        found.fd = -1
        self._names[link] = kept.name or ""
        return link

    def settle(self) -> None:
        """Gives up what nobody has taken: interfaces that are not run any more, or are gone."""
        for each in self._attachments.values():
            for link in each.links:
                self.give_up(link)
        self._attachments = {}

    def give_up(self, kept: KeptLink) -> None:
        """The attachment ends, unless somebody else's program is in its link now."""
        found = self._inherited.pop(kept.name or "", None)
        if found is None:
            return
        with suppress(OSError):
            if link_state(found.fd)[0] == kept.id:
                detach(found)
        found.close()

    # What is kept.

    def keep(
        self,
        state: tuple[int, Mapping[str, int], Iterable[str]],
        maps: Mapping[str, Map],
        besides: Iterable[Descriptor],
        attachments: Iterable[tuple[str, Any]],
        *,
        patience: float = manager.PATIENCE_SECONDS,
    ) -> None:
        """Has all of this kept for the next agent, and the rest no longer. OSError.

        What was kept before an error is not sent again. `patience`: as of `manager.notify`.

        `state`: the number of interfaces there is room for, slots, and the interfaces that are
        gone. `besides`: what the programs need that are attached. `attachments`: with the names of
        their interfaces. What is kept already is not sent again.
        """
        wanted = Wanted.of(state, maps, besides, attachments)
        if self.is_kept and self._content(wanted) == self._kept_as:
            return
        self.is_kept = False
        for each in wanted.descriptors:
            self._send(each, patience)
        record = self._send_record(wanted, patience)
        there = {record, *map(self._names.__getitem__, wanted.descriptors)}
        for other in self._there - there:
            manager.drop(other, patience=patience)
        self._there, self._inherited = there, {}
        self.is_kept, self._kept_as = True, self._content(wanted)

    def _content(self, wanted: Wanted) -> tuple[Any, ...]:
        """By which it is seen whether something has changed since it was kept."""
        names = {self._names.get(each, "") for each in wanted.descriptors}
        interfaces = [name for name, _ in wanted.attachments]
        return (names, wanted.room, dict(wanted.slots), wanted.gone, interfaces)

    def _send(self, each: Descriptor, patience: float) -> None:
        """To the service manager, unless it has it. OSError."""
        if self._names.get(each) in self._there:
            return
        name = f"{PREFIX}{self._number()}"
        manager.keep(name, each.fd, patience=patience)
        self._names[each] = name
        self._there.add(name)

    def _send_record(self, wanted: Wanted, patience: float) -> str:
        """What all the descriptors are, for the agent that gets them; its name. OSError."""
        document = {
            "layout": layout(),
            "max_interfaces": wanted.room,
            "maps": {name: self._names[each] for name, each in wanted.maps.items()},
            "slots": dict(wanted.slots),
            "gone": wanted.gone,
            "attachments": [self._described(*each) for each in wanted.attachments],
        }
        name = f"{RECORD}{self._number()}"
        with os.fdopen(os.memfd_create("mcastd-record", os.MFD_CLOEXEC), "wb") as file:
            file.write(json.dumps({**document, "following": self._following}).encode())
            file.flush()
            manager.keep(name, file.fileno(), patience=patience)
        return name

    def _number(self) -> int:
        self._following += 1
        return self._following

    def _described(self, name: str, attachment: Any) -> dict[str, Any]:
        links = [
            [
                each.program.name,
                each.program.frags,
                each.program.id,
                self._names.get(each) if isinstance(each, Link) else None,
            ]
            for each in attachment.links
        ]
        return {
            "name": name,
            "ifindex": attachment.ifindex,
            "ingress": attachment.ingress.value,
            "egress": attachment.egress.value,
            "reasons": attachment.reasons,
            "tags_taken_out": attachment.tags_taken_out,
            "choice": attachment.choice.value,
            "streams": attachment.streams,
            "links": links,
        }


def number_in(name: str) -> int:
    """Whether it is used or not, no other is to be called so: one name drops all that have it."""
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def detach(link: Descriptor) -> None:
    """Ends the attachment at once, if it is one: the manager may keep the link for a moment yet."""
    if link.fd >= 0:
        lib.bpf_link_detach(link.fd)
    link.close()
