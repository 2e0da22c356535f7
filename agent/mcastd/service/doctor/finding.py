"""What doctor has found: a value, named by its kind, that ends when the trouble has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple


class Severity(StrEnum):
    """A `FAULT` keeps multicast from working as it should; a `NOTE` is worth knowing."""

    FAULT = "fault"
    NOTE = "note"


class Evidence(NamedTuple):
    """What was seen, and the command that shows it."""

    shows: str
    command: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: its name, which is stable. `why`: why it matters; `remedy`: what mends it.

    `interface`, `protocol` and `group`: what it concerns, None if that is more than one.
    """

    kind: str
    text: str
    remedy: str
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    severity: Severity = Severity.FAULT
    interface: str | None = None
    protocol: str | None = None
    group: str | None = None

    def about(self, interface: str | None, protocol: str | None = None) -> Finding:
        """The same, of this interface and family."""
        return replace(self, interface=interface, protocol=protocol or self.protocol)

    def as_object(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "interface": self.interface,
            "protocol": self.protocol,
            "group": self.group,
            "text": self.text,
            "evidence": [each._asdict() for each in self.evidence],
            "why": self.why,
            "remedy": self.remedy,
        }


def note(kind: str, text: str, remedy: str, **more: Any) -> Finding:
    return Finding(kind, text, remedy, severity=Severity.NOTE, **more)
