"""A host in plain sets and dictionaries, written from the RFCs alone and slow: the specification.

It says what is sent record by record, so that it need not care how records share reports. Times are
nanoseconds, addresses are text, filters are (mode, sources) with the modes of scenario files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SECOND = 1_000_000_000

Filter = tuple[str, frozenset[str]]
NOTHING: Filter = ("include", frozenset())

Said = tuple[int, str]
"""When, and what: `mode 2`, `report 2 239.1.2.3`, `leave 239.1.2.3`, `TO_EX 239.1.2.3 a b`."""


@dataclass(frozen=True)
class Asked:
    """A query; `group` empty: a general one. `time` is not 0 and short enough to be linear."""

    version: int
    group: str
    sources: frozenset[str]
    time: int
    robustness: int
    interval: int


@dataclass
class Series:
    """State changes still to be repeated (RFC 9777 §6.1)."""

    filter_mode: int = 0
    sources: dict[str, int] = field(default_factory=dict)
    due: int = 0


@dataclass
class ReferenceHost:
    """`newest`: 3 or 2. `draw`: the delay that is drawn from a limit."""

    newest: int
    draw: Callable[[int], int]
    excluded: frozenset[str]
    maximum: int = 0
    robustness: int = 2
    query_interval: int = 125 * SECOND
    link: bool = True
    said: list[Said] = field(default_factory=list)
    requests: dict[str, dict[str, Filter]] = field(default_factory=dict)
    older: dict[int, int] = field(default_factory=dict)
    general: int | None = None
    responses: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    delays: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    last_reporter: set[str] = field(default_factory=set)
    spoken: int = 0

    def __post_init__(self) -> None:
        self.maximum = self.maximum or self.newest
        self.spoken = self.version

    @property
    def version(self) -> int:
        return min([*self.older, self.maximum])

    @property
    def is_igmp(self) -> bool:
        return self.newest == 3

    # What is received (RFC 9776 §3.2).

    def filter(self, group: str) -> Filter:
        asked = self.requests.get(group, {}).values()
        excluding = [sources for mode, sources in asked if mode == "exclude"]
        including = frozenset[str]().union(*(s for mode, s in asked if mode == "include"))
        if not excluding:
            return ("include", including)
        return ("exclude", frozenset.intersection(*excluding) - including)

    def reported(self) -> list[str]:
        return [g for g in self.requests if self.filter(g) != NOTHING and g not in self.excluded]

    def listen(self, now: int, app: str, group: str, asked: Filter) -> None:
        before = self.filter(group)
        self.requests.setdefault(group, {})[app] = asked
        if asked == NOTHING:
            del self.requests[group][app]
        after = self.filter(group)
        if before != after and group not in self.excluded:
            if self.link:
                self.changed(now, group, before, after)
            if after == NOTHING:
                self.last_reporter.discard(group)

    def changed(self, now: int, group: str, before: Filter, after: Filter) -> None:
        if self.version == self.newest:
            if after == NOTHING:
                self.responses.pop(group, None)
            self.owe(now, group, before, after)
        elif before == NOTHING:
            self.report(now, group)
            self.repeats[group] = min(max(self.robustness - 1, 1), 2)
            self.delays[group] = now + self.draw(10 * SECOND)
        elif after == NOTHING:
            self.delays.pop(group, None)
            self.repeats.pop(group, None)
            if group in self.last_reporter and self.version != (1 if self.is_igmp else 0):
                self.said.append((now, f"leave {group}"))

    # State changes in the newest version (RFC 9777 §6.1).

    def owe(self, now: int, group: str, before: Filter, after: Filter) -> None:
        series = self.series.setdefault(group, Series())
        if before[0] != after[0]:
            series.filter_mode, series.sources = self.robustness, {}
        else:
            series.sources |= dict.fromkeys(before[1] ^ after[1], self.robustness)
        self.tell(now, group)

    def tell(self, now: int, group: str) -> None:
        series, (mode, sources) = self.series[group], self.filter(group)
        if series.filter_mode:
            self.record(now, "TO_IN" if mode == "include" else "TO_EX", group, sources)
        else:
            told = set(series.sources)
            let_through = told & sources if mode == "include" else told - sources
            for kind, listed in (("ALLOW", let_through), ("BLOCK", told - let_through)):
                if listed:
                    self.record(now, kind, group, listed)
        series.filter_mode = max(0, series.filter_mode - 1)
        series.sources = {s: n - 1 for s, n in series.sources.items() if n > 1}
        if series.filter_mode or series.sources:
            series.due = now + self.draw(SECOND)
        else:
            del self.series[group]

    def record(self, now: int, kind: str, group: str, sources: Iterable[str]) -> None:
        self.said.append((now, " ".join([kind, group, *sorted(sources)])))

    def report(self, now: int, group: str) -> None:
        self.said.append((now, f"report {self.version} {group}"))
        self.last_reporter.add(group)

    # Queries.

    def query(self, now: int, asked: Asked) -> None:
        version, group, time = asked.version, asked.group, asked.time
        if self.is_igmp and self.maximum == 1 and group:
            return  # sent to the group, where no version 1 query goes
        if not self.link:
            return
        if version < self.newest and not group:
            self.older[version] = now + self.remembered(version, time)
            self.settle(now)
        if version == self.newest == self.version:
            self.robustness = max(2, asked.robustness) if asked.robustness else 2
            self.query_interval = asked.interval or 125 * SECOND
        if self.version == self.newest:
            self.newest_query(now, group, asked.sources, time)
            return
        version = min(version, self.maximum)
        if self.is_igmp and (self.maximum == 1 or (self.version == 1 and version == 3)):
            group, time = "", 10 * SECOND
        self.older_query(now, group, time)

    def remembered(self, version: int, time: int) -> int:
        if not self.is_igmp:
            return self.robustness * self.query_interval + time
        return 400 * SECOND if (self.maximum, version) == (2, 1) else 250 * SECOND + 10 * time

    def older_query(self, now: int, group: str, time: int) -> None:
        for each in self.reported():
            if group in ("", each) and (each not in self.delays or time < self.delays[each] - now):
                self.delays[each] = now + self.draw(time)

    def newest_query(self, now: int, group: str, sources: frozenset[str], time: int) -> None:
        if not (self.reported() if not group else group in self.reported()):
            return
        due = now + self.draw(time)
        if self.general is not None and self.general < due:
            return
        if not group:
            self.general = due
        elif group not in self.responses:
            self.responses[group] = (due, sources)
        else:
            pending, asked = self.responses[group]
            together = asked | sources if asked and sources else frozenset[str]()
            self.responses[group] = (min(pending, due), together)

    def heard(self, now: int, group: str) -> None:
        if self.link and self.version != self.newest and group in self.delays:
            del self.delays[group]
            self.repeats.pop(group, None)
            self.last_reporter.discard(group)

    # Versions, link.

    def settle(self, now: int) -> None:
        if self.version != self.spoken:
            self.cancel()
            self.spoken = self.version
            self.said.append((now, f"mode {self.version}"))

    def cancel(self) -> None:
        self.general = None
        for pending in (self.responses, self.series, self.delays, self.repeats):
            pending.clear()

    def limit(self, now: int, maximum: int) -> None:
        self.maximum = maximum
        self.settle(now)

    def set_link(self, now: int, up: bool) -> None:
        if up == self.link:
            return
        self.link = up
        if not up:
            self.older.clear()
            self.robustness, self.query_interval = 2, 125 * SECOND
            self.last_reporter.clear()
            self.cancel()
            self.settle(now)
            return
        for group in sorted(self.reported()):
            self.changed(now, group, NOTHING, self.filter(group))

    # Time.

    def next_due(self) -> int | None:
        dues = [*self.older.values(), *self.delays.values()]
        dues += [due for due, _ in self.responses.values()]
        dues += [series.due for series in self.series.values()]
        dues += [] if self.general is None else [self.general]
        return min(dues, default=None)

    def pass_time(self, until: int) -> None:
        while (now := self.next_due()) is not None and now <= until:
            self.older = {v: due for v, due in self.older.items() if due > now}
            self.settle(now)
            if self.general == now:
                self.answer_all(now)
            for group in [g for g, (due, _) in self.responses.items() if due == now]:
                self.answer(now, group)
            for group in [g for g, series in self.series.items() if series.due == now]:
                self.tell(now, group)
            for group in [g for g, due in self.delays.items() if due == now]:
                self.delay_ends(now, group)

    def answer_all(self, now: int) -> None:
        self.general = None
        self.responses.clear()
        for group in self.reported():
            mode, sources = self.filter(group)
            self.record(now, "IS_IN" if mode == "include" else "IS_EX", group, sources)

    def answer(self, now: int, group: str) -> None:
        _, asked = self.responses.pop(group)
        mode, sources = self.filter(group)
        if not asked:
            self.record(now, "IS_IN" if mode == "include" else "IS_EX", group, sources)
        elif told := (asked & sources if mode == "include" else asked - sources):
            self.record(now, "IS_IN", group, told)

    def delay_ends(self, now: int, group: str) -> None:
        del self.delays[group]
        self.report(now, group)
        left = self.repeats.pop(group, 0) - 1
        if left > 0:
            self.repeats[group] = left
            self.delays[group] = now + self.draw(10 * SECOND)
