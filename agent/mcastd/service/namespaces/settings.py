"""Reads the part of the configuration that is about other namespaces: [namespace.NAME]."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NotRequired, TypedDict

from mcastd.allowed import LONGEST_TEXT, whole
from mcastd.net import names
from mcastd.printable import brief
from mcastd.service.documents import Unread
from mcastd.service.interface_names import is_pattern
from mcastd.service.interface_settings import (
    MOST_INTERFACES,
    ConfigFileError,
    InterfaceSettings,
    Section,
    Sections,
    all_settings,
    check_name,
    read_interfaces,
    read_tunables,
)
from mcastd.service.namespaces.inside import parted

if TYPE_CHECKING:
    from mcastd.service.config import Settings

LONGEST_NAME = 128
"""Bytes of a namespace's name: files are named after it."""

MAX_INTERFACES = 64
"""Of a namespace, unless its section says otherwise: memory follows it, and there may be many."""

KEYS = "path, max_interfaces, defaults, interface"

MOST = whole(1, MOST_INTERFACES)


class Written(TypedDict):
    """What all files say of a namespace."""

    interface: Sections
    defaults: Section
    path: NotRequired[str]
    max_interfaces: NotRequired[int]


class NamespaceSettings(NamedTuple):
    """A namespace's interfaces by name or pattern; `path`: where it is, if not under its name."""

    interfaces: Mapping[str, InterfaceSettings]
    path: str | None = None
    max_interfaces: int = MAX_INTERFACES


def refusal(name: str) -> str | None:
    """Why no namespace is called so."""
    if not name or name in (".", "..") or "/" in name or b"\0" in names.raw(name):
        return 'no namespace is called so: a name is that of a file, without "/"'
    if "," in name:
        return "one section for each namespace"
    if len(names.raw(name)) > LONGEST_NAME:
        return f"a namespace's name has at most {LONGEST_NAME} bytes here"
    return None


def read(path: Path, table: Unread, found: dict[str, Written]) -> None:
    """Adds what a file says of namespaces to what others have said. ConfigFileError."""
    for written, section in table.items():
        if not isinstance(section, dict):
            raise ConfigFileError(
                path,
                f"namespace.{written} = {brief(section)}: this is a section: [namespace.{written}]",
            )
        name = names.given(written)
        reason = refusal(name)
        if reason is not None:
            raise ConfigFileError(path, f'[namespace."{name}"]: {reason}')
        here = found.setdefault(name, empty())
        read_section(path, name, section, here)


def empty() -> Written:
    return {"interface": {}, "defaults": {}}


def read_section(path: Path, name: str, section: Unread, here: Written) -> None:
    where = f"namespace.{name}."
    for key, value in section.items():
        if key == "interface" and isinstance(value, dict):
            read_interfaces(path, where, value, here["interface"])
        elif key == "defaults" and isinstance(value, dict):
            here["defaults"] |= read_tunables(path, f"{where}defaults", value)
        elif key == "max_interfaces":
            here["max_interfaces"] = most(path, where, value)
        elif key == "path":
            here["path"] = place(path, name, value)
        else:
            hint = f"; an interface's section is [{where}interface.{key}]"
            more = hint if isinstance(value, dict) and key not in KEYS.split(", ") else ""
            raise ConfigFileError(path, f"{where}{key} = {brief(value)}: no such key; {KEYS}{more}")


def most(path: Path, where: str, value: object) -> int:
    try:
        read: int = MOST.read(value)
    except (TypeError, ValueError):
        raise ConfigFileError(
            path, f"{where}max_interfaces = {brief(value)}: allowed is {MOST.text}"
        ) from None
    return read


def is_path(value: object) -> bool:
    fits = isinstance(value, str) and value.startswith("/") and "\0" not in value
    return fits and len(str(value)) <= LONGEST_TEXT


def place(path: Path, name: str, value: object) -> str:
    if not is_path(value) or is_pattern(name):
        raise ConfigFileError(
            path,
            f"namespace.{name}.path = {brief(value)}: allowed is the absolute path of one "
            "namespace, such as /proc/812/ns/net",
        )
    return str(value)


def add_named(text: str, mode: str | None, found: dict[str, Written]) -> None:
    """An interface of a namespace that the command line names: "blue/eth0". ConfigFileError."""
    namespace, interface = parted(text)
    reason = refusal(namespace or "")
    if reason is not None:
        raise ConfigFileError(f"-i {text}", reason)
    check_name(f"-i {text}", interface)
    sections = found.setdefault(str(namespace), empty())["interface"]
    sections.setdefault(interface, {})
    if mode is not None:
        sections[interface]["mode"] = mode


def made(found: Mapping[str, Written], defaults: Unread) -> dict[str, NamespaceSettings]:
    """The settings of all namespaces: a namespace's own defaults count more than all others'."""
    return {
        name: NamespaceSettings(
            all_settings(each["interface"], {**defaults, **each["defaults"]}),
            each.get("path"),
            each.get("max_interfaces", MAX_INTERFACES),
        )
        for name, each in found.items()
    }


def within(settings: Settings, name: str) -> Settings | None:
    """The settings of the agent in a namespace; None if it is not named.

    What its own section says of interfaces comes before what the first pattern that fits says.
    """
    own = settings.namespaces.get(name)
    fitting = (each for key, each in settings.namespaces.items() if fnmatchcase(name, key))
    general = next((each for each in fitting if each is not own), None)
    chosen = own or general
    if chosen is None:
        return None
    interfaces = {**(general.interfaces if general else {}), **chosen.interfaces}
    return settings._replace(
        namespace=name,
        namespaces={},
        interfaces={**chosen.interfaces, **interfaces},
        max_interfaces=chosen.max_interfaces,
        metrics=None,
    )
