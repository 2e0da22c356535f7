"""What doctor has found: a value, named by its kind, that ends when the trouble has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, TypedDict, Unpack


class Severity(StrEnum):
    """A `FAULT` keeps multicast from working as it should; a `NOTE` is worth knowing."""

    FAULT = "fault"
    NOTE = "note"


class Evidence(NamedTuple):
    """What was seen, and the command that shows it."""

    shows: str
    command: str


class EvidenceObject(TypedDict):
    """As JSON."""

    shows: str
    command: str


class FindingObject(TypedDict):
    """A finding in the answer of the control socket; see mcastctl(1)."""

    kind: str
    severity: str
    interface: str | None
    protocol: str | None
    group: str | None
    text: str
    evidence: list[EvidenceObject]
    why: str
    remedy: str


class Reasons(TypedDict, total=False):
    """Why a finding matters, and what was seen of it."""

    why: str
    evidence: tuple[Evidence, ...]


class Details(Reasons, total=False):
    """What a finding may have besides its text and its remedy."""

    interface: str | None
    protocol: str | None
    group: str | None


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

    def as_object(self) -> FindingObject:
        """As JSON."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "interface": self.interface,
            "protocol": self.protocol,
            "group": self.group,
            "text": self.text,
            "evidence": [{"shows": e.shows, "command": e.command} for e in self.evidence],
            "why": self.why,
            "remedy": self.remedy,
        }


def note(kind: str, text: str, remedy: str, **more: Unpack[Details]) -> Finding:
    return Finding(kind, text, remedy, severity=Severity.NOTE, **more)
