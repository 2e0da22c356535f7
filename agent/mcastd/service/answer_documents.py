"""Describes the documents that the control socket answers with: each field, and its type.

Times are seconds: of the day (since 1970) where something happened, else how long.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from mcastd.service.documents import JsonObject


class Filter(TypedDict):
    """A filter mode, "include" or "exclude", and the sources that it names."""

    mode: str
    sources: list[str]


class Holder(Filter):
    """A process whose socket has joined a group."""

    name: str
    pid: int
    uid: int
    container: str | None


class Asker(TypedDict):
    """Who stands behind a membership: sockets of the kernel, or who asked the agent.

    Of sockets: `exact` if all of them were found, and `users`, as many as the kernel counts. Of who
    asked: `held` if it ends with his connection; `ends_in`, if it was left and is held on.
    """

    exact: NotRequired[bool]
    users: NotRequired[int]
    processes: NotRequired[list[Holder]]
    uid: NotRequired[int | None]
    pid: NotRequired[int | None]
    held: NotRequired[bool]
    ends_in: NotRequired[float | None]


class Application(Asker, Filter):
    """Who has joined a group, and which filter he wants."""

    name: str


class StreamData(TypedDict):
    """Of a group's streams, where they are counted: packets a second, and when the last came."""

    rate: NotRequired[float | None]
    last_data: NotRequired[float | None]


class Group(StreamData, Filter):
    """A group that this host receives; `reported`: whether groups like it are reported at all."""

    interface: str
    protocol: str
    group: str
    applications: list[Application]
    reported: bool
    since: float | None
    last_reported: float | None


class OlderQuerier(TypedDict):
    """An older version that is in force, and who has asked in it; None if that is not known."""

    version: int
    address: str | None
    forgotten_in: float


class Querier(TypedDict):
    """A querier as its queries show it; what only the newest version says is None in others."""

    address: str
    current: bool
    version: int
    robustness: int | None
    interval: float | None
    observed_interval: float | None
    max_response: float
    queries: int
    without_router_alert: int
    first_heard: float
    last_heard: float


class QuerierList(TypedDict):
    """All queriers of one family on one interface, the current one first."""

    interface: str
    protocol: str
    queriers: list[Querier]
    older_queriers: list[OlderQuerier]
    max_version: int
    version: int


class UnlistedQuerier(TypedDict):
    """The last querier that was told of and is none of those configured."""

    address: str
    told: float


class KernelKeepsTo(TypedDict):
    """An older version that the kernel speaks: until then, or until then at the latest."""

    version: int
    until: float
    exact: bool


class FamilyStatus(TypedDict):
    """`version`: spoken by whom `spoken_by` says; `max_version`: allowed, by whom `allowed_by`
    says; `configured_max_version`: what the settings allow, which is in force in host mode.
    """

    version: int
    spoken_by: str
    last_reported_version: int | None
    max_version: int
    allowed_by: str
    configured_max_version: int
    querier: str | None
    querier_version: int | None
    older_queriers: list[OlderQuerier]
    unlisted_querier: UnlistedQuerier | None
    groups: int
    sources: int
    speaks_for_kernel: bool
    kernel_keeps_to: KernelKeepsTo | None
    refresh: JsonObject | None
    unanswered_queries: int


class SetByHand(TypedDict):
    """A setting that was changed at run time, and what the files say."""

    interface: str
    key: str
    value: str | int
    files: str | int


class InterfaceStatus(TypedDict):
    """One interface. `problem`: what keeps it from being run as it should be."""

    name: str
    index: int | None
    alternative_names: list[str]
    mode: str
    hook: str
    egress_hook: str
    hook_reasons: list[str]
    tags_taken_out: bool
    running: bool
    problem: str | None
    remarks: list[str]
    by_hand: list[SetByHand]
    igmp: FamilyStatus
    mld: FamilyStatus
    lost: dict[str, dict[str, int]]
    streams: JsonObject | None
    guard: dict[str, int | bool]
    floods: dict[str, JsonObject]


class Status(TypedDict):
    """Everything on one page. `needs_restart`: settings whose change is not in force yet."""

    version: str
    uptime: float
    interfaces: list[InterfaceStatus]
    missing: list[str]
    needs_restart: list[str]
    faults: dict[str, JsonObject]
    clients: dict[str, int]
    state: JsonObject
