"""Counts the packets of a capture by what they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mcastd.wire import Kind, Reason, Received, Rejected


def packets(count: int) -> str:
    return "1 packet" if count == 1 else f"{count} packets"


@dataclass(slots=True)
class Summary:
    """Counts; `other` packets are neither IGMP nor MLD. `cut`: so short that it cannot be told
    whether they are good. `not_looked_into`: what may hold a packet, by its name.
    """

    packets: int = 0
    other: int = 0
    cut: int = 0
    accepted: Counter[Kind] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)
    not_looked_into: Counter[str] = field(default_factory=Counter)

    def count(
        self,
        decoded: Received | Rejected | None,
        *,
        cut: bool = False,
        inside: str | None = None,
    ) -> None:
        """`inside`: the name of what the packet is in, if that is not looked into."""
        self.packets += 1
        if cut:
            self.cut += 1
            return
        match decoded:
            case None if inside is not None:
                self.not_looked_into[inside] += 1
            case None:
                self.other += 1
            case Received():
                self.accepted[decoded.kind] += 1
            case Rejected():
                self.rejected[decoded.reason] += 1

    def as_object(self) -> dict[str, Any]:
        """The document of `--summary`."""
        return {
            "packets": self.packets,
            "other": self.other,
            "cut": self.cut,
            "not_looked_into": dict(sorted(self.not_looked_into.items())),
            "accepted": {kind.label: self.accepted[kind] for kind in sorted(self.accepted)},
            "rejected": {reason.label: self.rejected[reason] for reason in sorted(self.rejected)},
        }

    def as_text(self) -> str:
        text = (
            f"{packets(self.packets)}: {self.accepted.total()} accepted, "
            f"{self.rejected.total()} rejected, {self.other} neither IGMP nor MLD"
        )
        if self.cut:
            text += f", {self.cut} cut too short to tell (capture with a greater snap length)"
        for name, count in sorted(self.not_looked_into.items()):
            text += f", {count} {name} not looked into"
        return text
