"""What an observer and its engine are given: an outlet for what is to be sent, and tunables.

A voice in host mode (voice.py) is the outlet; in observe mode there is none, and the engine follows
the kernel, which has tunables of its own.
"""

from __future__ import annotations

from typing import Protocol

from mcastd.gmp.config import HostConfig, OlderQuerierFormula
from mcastd.gmp.effects import ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.time import NO_TIME, Duration


class Outlet(Protocol):
    """Carries out what the engine wants sent and heard."""

    def send(self, order: SendRecords | SendReport | SendLeave, *, urgent: bool = False) -> None:
        """`urgent`: before all that waits, whoever else may speak of the group."""

    def listen(self, matter: ReportsMatter) -> None: ...

    def refresh(self, within: Duration) -> None:
        """Has the kernel report what it speaks for, within that time."""

    @property
    def is_busy(self) -> bool:
        """Whether so much waits to be sent that more is better made later."""


def speaking(config: HostConfig) -> HostConfig:
    """The tunables for the engine: who asks for what is looked at before, and the kernel's sockets
    have limits of their own."""
    return config._replace(ssm_enforce=False, max_sources_per_filter=1_000_000)


def observing(family: ProtocolFamily, config: HostConfig) -> HostConfig:
    """The tunables as they fit the kernel, which forgets older queriers as RFC 3376 has it, without
    a limit, believes all queriers, reports nothing unasked, and knows nothing of a cap.
    """
    return speaking(config)._replace(
        older_querier_formula=OlderQuerierFormula.RFC3376,
        older_querier_limit=NO_TIME,
        queriers=(),
        refresh=NO_TIME,
        report_suppression=True,
        max_version=family.newest,
        compat_enable=True,
    )
