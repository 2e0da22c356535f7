"""Describes the maps and links that outlast an agent, for the agent that comes next."""

from __future__ import annotations

import re
from importlib.util import source_hash
from pathlib import Path
from typing import Any, NamedTuple

from mcastd.fastpath.bpf_source import BPF_DIRECTORY
from mcastd.fastpath.hooks import Hook, HookChoice

KEPT_MAPS = frozenset(
    {"assigned", "counters", "paces", "questions", "passers"}
    | {"query_events", "report_events", "egress_events"}
)
"""Counts, what is under way, and which addresses are whose: a query is judged by it meanwhile."""

FORMAT = 1
"""Of the record."""

LAID_OUT = ("abi.h", "maps.h")
"""Files that say what is in the maps; that the comments in them change means nothing."""


class KeptLink(NamedTuple):
    """A link: the program in it, by name and by number in the kernel, and its descriptor's name.

    `name` None: it is no link but a filter in clsact, which is made anew.
    """

    program: str
    frags: bool
    id: int
    name: str | None


class KeptAttachment(NamedTuple):
    """An `Attachment`, as the record has it; `name`: the interface's at that time."""

    name: str
    ifindex: int
    ingress: Hook
    egress: Hook
    reasons: tuple[str, ...]
    tags_taken_out: bool
    choice: HookChoice
    streams: bool
    links: tuple[KeptLink, ...]


class Record(NamedTuple):
    """What is kept, as the agent before this one has left it.

    `maps`: names of descriptors, by those of the maps. `slots`: where the counters of interfaces
    are; `gone`: the interfaces that were gone, the latest last. `following`: the number of the next
    descriptor that is kept.
    """

    following: int
    max_interfaces: int
    maps: dict[str, str]
    slots: dict[str, int]
    gone: tuple[str, ...]
    attachments: tuple[KeptAttachment, ...]

    @classmethod
    def from_json(cls, document: Any) -> Record:
        """Raises KeyError, TypeError or ValueError for anything else than a record."""
        attachments = tuple(
            KeptAttachment(
                **{
                    **each,
                    "ingress": Hook(each["ingress"]),
                    "egress": Hook(each["egress"]),
                    "choice": HookChoice(each["choice"]),
                    "reasons": tuple(each["reasons"]),
                    "links": tuple(KeptLink(*link) for link in each["links"]),
                }
            )
            for each in document["attachments"]
        )
        return cls(
            int(document["following"]),
            int(document["max_interfaces"]),
            dict(document["maps"]),
            {str(name): int(slot) for name, slot in document["slots"].items()},
            tuple(document["gone"]),
            attachments,
        )


def layout(directory: Path = BPF_DIRECTORY) -> str:
    """The same as long as what is in the maps means the same."""
    texts = [(directory / name).read_text() for name in LAID_OUT]
    plain = re.sub(r"/\*.*?\*/", "", "".join(texts), flags=re.DOTALL)
    return source_hash(" ".join([str(FORMAT), *plain.split()]).encode()).hex()
