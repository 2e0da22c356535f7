"""How many packets of a capture were what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mcastd.wire import Kind, Reason, Received, Rejected


def packets(count: int) -> str:
    return "1 packet" if count == 1 else f"{count} packets"


@dataclass(slots=True)
class Summary:
    """Counts; `other` packets are neither IGMP nor MLD."""

    packets: int = 0
    other: int = 0
    accepted: Counter[Kind] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)

    def count(self, decoded: Received | Rejected | None) -> None:
        self.packets += 1
        match decoded:
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
            "accepted": {kind.label: self.accepted[kind] for kind in sorted(self.accepted)},
            "rejected": {reason.label: self.rejected[reason] for reason in sorted(self.rejected)},
        }

    def as_text(self) -> str:
        return (
            f"{packets(self.packets)}: {self.accepted.total()} accepted, "
            f"{self.rejected.total()} rejected, {self.other} neither IGMP nor MLD"
        )
