"""Reads the settings of interfaces, of the agent's own namespace and of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mcastd.allowed import YES_OR_NO, Allowed, one_of
from mcastd.fastpath.hooks import HookChoice
from mcastd.gmp.config import TUNABLES, ConfigError, HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.net import names
from mcastd.printable import brief, printable
from mcastd.service import guard
from mcastd.service.documents import Own, Unread
from mcastd.service.guard import Guard
from mcastd.service.interface_names import refusal, unquoted
from mcastd.service.mode import Mode
from mcastd.service.owned import CONFIG, Owned

LONGEST_MESSAGE = 2000
"""Characters of what is said about a mistake: keys can be long."""

OURS: Section = {"ovqp_limit": 3600}
"""The tunables whose defaults are the agent's own, and no RFC's."""
MOST_INTERFACES = 65_536

STREAMS = "streams"
"""Of an interface, whether they are counted there; also a section of its own."""

KEYS: Mapping[str, Allowed] = {
    "mode": one_of(Mode),
    "hook": one_of(HookChoice),
    STREAMS: YES_OR_NO,
}
"""Of an interface, beside its memberships, the tunables of its protocols and its flood guard."""

MEMBERSHIP = "membership"
MEMBERSHIP_KEYS = {"group", "mode", "sources", "kernel"}

KEPT_BY_HAND = "90-mcastctl"
"""What the names of the drop-ins begin with that `--persist` writes."""

PATHS, WRITTEN = " paths", " written"
"""In what is read of an interface, beside its keys: of each membership the file that has it, and
whether other files than those that `--persist` writes name the interface.
"""

Section = Own
"""What files say, key by key; each reader checks what it takes."""

Sections = dict[str, Section]
"""Of interfaces, by name: what all files say of each."""


class ConfigFileError(Exception):
    """A file that cannot be used; the text names file, key, value and what is allowed."""

    def __init__(self, path: str | Path, what: str) -> None:
        text = printable(f"{path}: {what}")
        super().__init__(text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}...")


class InterfaceSettings(NamedTuple):
    """An interface's mode, its tunables by family, its guard against floods, what the agent itself
    joins there, which ingress hook it is to have, and whether streams are counted there."""

    mode: Mode
    configs: Mapping[str, HostConfig]
    guard: Guard
    memberships: tuple[Owned, ...] = ()
    hook: HookChoice = HookChoice.AUTO
    streams: bool = False


def read_interfaces(path: Path, where: str, table: Unread, sections: Sections) -> None:
    """Adds what a file says of interfaces. `where`: what stands before "interface" there."""
    for written, section in table.items():
        if not isinstance(section, dict):
            raise ConfigFileError(
                path,
                f"{where}interface.{written} = {brief(section)}: this is a section: "
                f"[{where}interface.{written}]",
            )
        name = names.given(written)
        check_name(f'{path}: [{where}interface."{name}"]', name)
        merged = read_tunables(path, f"{where}interface.{name}", section, name)
        earlier = sections.setdefault(name, {})
        own = merged.get(MEMBERSHIP, [])
        more = earlier.get(MEMBERSHIP, []) + own
        earlier.update(merged | ({MEMBERSHIP: more} if more else {}))
        earlier[PATHS] = earlier.get(PATHS, []) + [path] * len(own)
        is_kept = path.name.startswith(f"{KEPT_BY_HAND}.")
        earlier[WRITTEN] = earlier.get(WRITTEN, False) or not is_kept


def all_settings(sections: Sections, defaults: Unread) -> dict[str, InterfaceSettings]:
    """The settings of all interfaces. ConfigFileError."""
    return {
        name: settings_of(name, {**defaults, **with_pattern(name, section, sections)})
        for name, section in sections.items()
    }


def with_pattern(name: str, section: Section, sections: Sections) -> Section:
    """What was kept of one interface adds to the pattern that it is run by, and hides nothing."""
    if section.get(WRITTEN, True):
        return section
    fitting = (each for each in sections if set(each) & set("*?[") and fnmatchcase(name, each))
    pattern = sections.get(next(fitting, ""), {})
    more = {key: pattern.get(key, []) + section.get(key, []) for key in (PATHS, MEMBERSHIP)}
    return {**pattern, **section, **more}


def check_name(where: str, name: str) -> None:
    """ConfigFileError for what no interface can be called."""
    reason = refusal(name)
    if reason is not None:
        raise ConfigFileError(where, reason)


def read_tunables(
    path: Path, section: str, values: Unread, interface: str | None = None
) -> Section:
    """Mode, memberships and tunables, as they are written; checked for both families.

    `interface`: its name, if it is the section of one.
    """
    tunables = dict(values)
    check_memberships(path, section, tunables.pop(MEMBERSHIP, []), interface)
    for key in KEYS:
        if key in tunables:
            check_key(path, section, key, tunables.pop(key))
    for key, value in tunables.items():
        if isinstance(value, dict) and interface is not None:
            where = section.removesuffix(interface)
            raise ConfigFileError(path, unquoted(where, interface, key, value))
        if key not in TUNABLES and key not in guard.KEYS:
            known = ", ".join((*KEYS, MEMBERSHIP, *TUNABLES, *guard.KEYS))
            raise ConfigFileError(path, f"{section}.{key} = {brief(value)}: no such key; {known}")
    try:
        read_guard(tunables)
        for family in FAMILIES.values():
            HostConfig.from_mapping(family, OURS | tunables)
    except ConfigError as error:
        raise ConfigFileError(path, f"{section}.{error}") from None
    return dict(values)


def check_key(path: Path, section: str, key: str, value: object) -> None:
    try:
        KEYS[key].read(value)
    except (TypeError, ValueError):
        raise ConfigFileError(
            path, f"{section}.{key} = {brief(value)}: allowed is {KEYS[key].text}"
        ) from None


def read_guard(tunables: Section) -> Guard:
    """Takes the guard's keys out of the tunables. ConfigError."""
    own = guard.KEYS.keys() & tunables.keys()
    return Guard().changed({key: tunables.pop(key) for key in sorted(own)})


def settings_of(name: str, values: Section) -> InterfaceSettings:
    tunables = dict(values)
    memberships = tuple(membership_of(name, each) for each in tunables.pop(MEMBERSHIP, []))
    paths, _ = tunables.pop(PATHS, []), tunables.pop(WRITTEN, True)
    mode = Mode(tunables.pop("mode", Mode.OBSERVE))
    hook = HookChoice(tunables.pop("hook", HookChoice.AUTO))
    streams = tunables.pop(STREAMS, False)
    guarded = read_guard(tunables)
    configs = {
        each: HostConfig.from_mapping(family, OURS | tunables) for each, family in FAMILIES.items()
    }
    check_granted(name, configs, memberships, paths)
    return InterfaceSettings(mode, configs, guarded, memberships, hook, streams)


def check_granted(
    name: str,
    configs: Mapping[str, HostConfig],
    memberships: Sequence[Owned],
    paths: Sequence[Path],
) -> None:
    """ConfigFileError for a membership that the interface's own tunables do not allow.

    `paths`: of each membership, which file has it.
    """
    if not memberships:
        return
    # Only now: most settings have none, and interfaces are attached when the settings are read.
    from mcastd.gmp import subscription  # noqa: PLC0415

    for path, membership in zip(paths, memberships, strict=True):
        family = membership.family
        config = configs[family.name]
        refused = subscription.refusal(family, config, membership.address, membership.filter)
        if refused is not None:
            raise ConfigFileError(
                path, f"interface.{name}.{MEMBERSHIP} = {brief(membership.group)}: {refused.text}"
            )


def check_memberships(path: Path, section: str, entries: object, interface: str | None) -> None:
    if not isinstance(entries, list) or (entries and interface is None):
        raise ConfigFileError(
            path, f"{section}.{MEMBERSHIP}: write [[interface.NAME.{MEMBERSHIP}]]"
        )
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) - MEMBERSHIP_KEYS:
            raise ConfigFileError(
                path,
                f"{section}.{MEMBERSHIP} = {brief(entry)}: keys are group, mode, sources, kernel",
            )
        if not isinstance(entry.get("kernel", False), bool):
            raise ConfigFileError(
                path, f"{section}.{MEMBERSHIP} = {brief(entry)}: kernel is true or false"
            )
        try:
            membership = membership_of("", entry)
            _ = membership.address, membership.filter
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigFileError(
                path, f"{section}.{MEMBERSHIP} = {brief(entry)}: {error}"
            ) from None


def membership_of(interface: str, entry: Section) -> Owned:
    """Sources are included unless the mode says exclude; without sources, any source is."""
    sources = tuple(map(str, entry.get("sources", ())))
    mode = entry.get("mode", "include" if sources else "exclude")
    kernel = bool(entry.get("kernel"))
    return Owned(interface, str(entry["group"]), str(mode), sources, CONFIG, kernel=kernel)
