"""Reads the configuration from TOML files, or says in one error what is wrong and where."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

from mcastd import files as content
from mcastd.allowed import YES_OR_NO, Allowed, text, whole
from mcastd.fastpath.programs import MAX_INTERFACES
from mcastd.gmp.family import FAMILIES
from mcastd.printable import brief
from mcastd.service.documents import Unread
from mcastd.service.interface_names import hint, names_given
from mcastd.service.interface_settings import (
    MOST_INTERFACES,
    STREAMS,
    WRITTEN,
    InterfaceSettings,
    Section,
    Sections,
    all_settings,
    check_name,
    read_interfaces,
    read_tunables,
)
from mcastd.service.interface_settings import ConfigFileError as ConfigFileError  # noqa: PLC0414
from mcastd.service.stream_settings import StreamSettings, StreamSettingsError, merged_streams

if TYPE_CHECKING:
    from mcastd.service.namespaces.settings import NamespaceSettings, Written

DEFAULT_PATH = Path("/etc/mcastd/mcastd.toml")
DEFAULT_SOCKET = "/run/mcastd/control.sock"
DEFAULT_METRICS = "127.0.0.1:9776"

LARGEST_FILE = 4 << 20
"""Bytes; a membership takes about a hundred."""

STATE_DROP_INS = "mcastd.d"
"""Below the state directory: what `--persist` keeps where all else is read-only for the agent."""

DEFAULT_STATE = Path("/var/lib/mcastd")


class Address(NamedTuple):
    """Where to listen: a numeric host and a port, or a path, which has no port."""

    host: str
    port: int = 0

    @property
    def is_path(self) -> bool:
        return self.host.startswith("/")


class Settings(NamedTuple):
    """All that files and command line say. `interfaces`: by name or pattern, in their order; those
    of other network namespaces are in `namespaces`. `namespace`: whose settings these are, if it is
    one of those.
    """

    metrics: Address | None = None
    web_config: str | None = None
    metrics_clients: int = 64
    querier_address: bool = False
    per_group: int = 0
    per_stream: int = 0
    gone_interfaces: int = 32
    max_interfaces: int = MAX_INTERFACES
    socket: str = DEFAULT_SOCKET
    group: str | None = None
    admin_group: str | None = None
    clients: int = 256
    clients_per_user: int = 64
    memberships: int = 262_144
    interfaces: Mapping[str, InterfaceSettings] = MappingProxyType({})
    path: Path = DEFAULT_PATH
    namespaces: Mapping[str, NamespaceSettings] = MappingProxyType({})
    max_namespaces: int = 128
    namespace: str | None = None
    streams: StreamSettings = StreamSettings()

    @property
    def counts_streams(self) -> bool:
        """Whether any interface is to have its streams counted."""
        return any(each.streams for each in self.interfaces.values())

    def of(self, name: str, alternative_names: Iterable[str] = ()) -> InterfaceSettings | None:
        """The settings for an interface: by one of its names, else by the first pattern that fits.

        Patterns are for its own name, which others see.
        """
        for each in (name, *alternative_names):
            if each in self.interfaces:
                return self.interfaces[each]
        fitting = (each for key, each in self.interfaces.items() if fnmatchcase(name, key))
        return next(fitting, None)

    def kept(self, name: str, tunables: Unread) -> Settings:
        """As they are after these were added to the files for an interface."""
        before = self.of(name)
        assert before is not None
        configs = {
            family: config.changed(FAMILIES[family], tunables)
            for family, config in before.configs.items()
        }
        changed = before._replace(configs=configs)
        return self._replace(interfaces={**self.interfaces, name: changed})


def parse_address(given: str) -> Address:
    """HOST:PORT or [HOST]:PORT, a numeric host, or unix:/PATH; ValueError for anything else."""
    if given.startswith("unix:/"):
        return Address(given.removeprefix("unix:"))
    host, separator, port = given.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(given)
    return Address(str(ip_address(host)), int(port))


LISTEN = text(
    'an address and port, unix:/PATH, or "" for nowhere',
    lambda given: parse_address(given) if given else None,
)
FILE, SOCKET = text("the path of a file"), text("a path")
USERS = text("the name of a group of users")


class Key(NamedTuple):
    """The field of Settings, and what it may be."""

    field: str
    allowed: Allowed


KEYS: Mapping[tuple[str, str], Key] = {
    ("metrics", "listen"): Key("metrics", LISTEN),
    ("metrics", "web_config"): Key("web_config", FILE),
    ("metrics", "querier_address"): Key("querier_address", YES_OR_NO),
    ("metrics", "per_group"): Key("per_group", whole(0, 10_000)),
    ("metrics", "per_stream"): Key("per_stream", whole(0, 10_000)),
    ("metrics", "clients"): Key("metrics_clients", whole(1, 10_000)),
    ("metrics", "gone_interfaces"): Key("gone_interfaces", whole(0, 10_000)),
    ("control", "socket"): Key("socket", SOCKET),
    ("control", "group"): Key("group", USERS),
    ("control", "admin_group"): Key("admin_group", USERS),
    ("control", "clients"): Key("clients", whole(1, 10_000)),
    ("control", "clients_per_user"): Key("clients_per_user", whole(1, 10_000)),
    ("control", "memberships"): Key("memberships", whole(1, 1_000_000)),
    ("agent", "max_interfaces"): Key("max_interfaces", whole(1, MOST_INTERFACES)),
    ("agent", "max_namespaces"): Key("max_namespaces", whole(1, 10_000)),
}


def load(
    path: Path | None, interfaces: tuple[str, ...] = (), overrides: Unread | None = None
) -> Settings:
    """Reads the file and its drop-ins; `interfaces` and `overrides` come from the command line.

    Without a path the default file is read if it is there. Overrides are fields of Settings, and
    `mode` for the interfaces named.
    """
    merged = Merged()
    for each in files(path):
        merged.add_file(each)
    given = dict(overrides or {})
    named = [name for each in interfaces for name in names_given(each)]
    merged.add_named(named, given.pop("mode", None))
    return merged.settings(path or DEFAULT_PATH, given)


class Merged:
    """What all files and the command line say together, until it is made into Settings."""

    def __init__(self) -> None:
        self._fields: Section = {"metrics": parse_address(DEFAULT_METRICS)}
        self._defaults: Section = {}
        self._interfaces: Sections = {}
        self._namespaces: dict[str, Written] = {}
        self._streams: StreamSettings | None = None

    def add_file(self, path: Path) -> None:
        """What this file says counts more than what the earlier ones say. ConfigFileError."""
        document = read(path)
        check_sections(path, document)
        self._fields |= read_keys(path, document)
        self._streams = read_streams(path, self._streams, document)
        self._defaults |= read_tunables(path, "defaults", document.get("defaults", {}))
        read_interfaces(path, "", document.get("interface", {}), self._interfaces)
        if document.get("namespace"):
            namespace_settings().read(path, document["namespace"], self._namespaces)

    def add_named(self, names: Iterable[str], mode: object) -> None:
        """The interfaces that the command line names, and their mode: without names that of all."""
        named = list(names)
        for name in named:
            self._add_name(name, mode)
        if mode is not None and not named:
            for section in self._all_interfaces():
                section["mode"] = mode

    def _add_name(self, name: str, mode: object) -> None:
        if name.partition("/")[0] and "/" in name:
            namespace_settings().add_named(name, mode, self._namespaces)
            return
        check_name(f"-i {name or repr(name)}", name)
        section = self._interfaces.setdefault(name, {})
        section[WRITTEN] = True
        if mode is not None:
            section["mode"] = mode

    def _all_interfaces(self) -> Iterator[Section]:
        """The sections of this network namespace and of the others."""
        yield from self._interfaces.values()
        for namespace in self._namespaces.values():
            yield from namespace["interface"].values()

    def settings(self, path: Path, overrides: Unread) -> Settings:
        """All of it; `overrides` are fields that count more."""
        self._defaults.setdefault(STREAMS, self._streams is not None)
        inside = self._namespaces and namespace_settings().made(self._namespaces, self._defaults)
        fields = {
            **self._fields,
            "streams": self._streams or StreamSettings(),
            **overrides,
            "interfaces": all_settings(self._interfaces, self._defaults),
            "namespaces": inside,
            "path": path,
        }
        return Settings(**fields)


def namespace_settings() -> ModuleType:
    """Most settings name no other namespace, and do not wait for this."""
    from mcastd.service.namespaces import settings  # noqa: PLC0415

    return settings


def read_streams(
    path: Path, earlier: StreamSettings | None, document: Section
) -> StreamSettings | None:
    """[streams] of the files until now; None if none has it."""
    if STREAMS not in document:
        return earlier
    try:
        return merged_streams(earlier or StreamSettings(), document[STREAMS])
    except StreamSettingsError as error:
        raise ConfigFileError(path, f"streams.{error}") from None


def files(path: Path | None) -> list[Path]:
    """The file, then its drop-ins in the order of their names, then what was kept at run time."""
    main = path or DEFAULT_PATH
    kept = state_drop_ins(main)
    late = sorted(kept.glob("*.toml")) if kept else []
    if path is None and not main.exists():
        return late
    return [main, *sorted(drop_ins(main).glob("*.toml")), *late]


def drop_ins(main: Path) -> Path:
    """The directory beside the file. ConfigFileError for what cannot be the name of one."""
    try:
        return main.with_suffix(".d")
    except ValueError:
        raise ConfigFileError(main, "this names no file") from None


def state_drop_ins(main: Path) -> Path | None:
    """The directory of drop-ins that belongs to the agent itself; None if it has none.

    Where the service manager says; and the system's place is read for the system's configuration,
    so that who checks that sees the same as the agent.
    """
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0]) / STATE_DROP_INS
    return DEFAULT_STATE / STATE_DROP_INS if main == DEFAULT_PATH else None


def read(path: Path) -> Section:
    import tomllib  # noqa: PLC0415 (where there is no file, a start does not wait for it)

    written = ""
    try:
        written = content.read(path, LARGEST_FILE).decode()
        return tomllib.loads(written)
    except OSError as error:
        raise ConfigFileError(path, error.strerror or str(error)) from None
    except RecursionError:
        raise ConfigFileError(path, "not TOML: more levels than any key has") from None
    except ValueError as error:  # what is no TOML, no text, or a number of too many digits
        said = brief(str(error))[1:-1]
        raise ConfigFileError(path, f"not TOML: {said}{hint(written, str(error))}") from None


def check_sections(path: Path, document: Unread) -> None:
    known = {"agent", "metrics", "control", "defaults", "interface", "namespace", STREAMS}
    for name, section in document.items():
        if name not in known:
            raise ConfigFileError(path, f"[{name}]: no such section; {', '.join(sorted(known))}")
        if not isinstance(section, dict):
            raise ConfigFileError(path, f"{name} = {brief(section)}: this is a section: [{name}]")


def read_keys(path: Path, document: Section) -> Section:
    fields = {}
    for section in ("agent", "metrics", "control"):
        for name, value in document.get(section, {}).items():
            key = KEYS.get((section, name))
            if key is None:
                known = ", ".join(name for each, name in KEYS if each == section)
                raise ConfigFileError(path, f"{section}.{name}: no such key; {known}")
            try:
                fields[key.field] = key.allowed.read(value)
            except (TypeError, ValueError):
                raise ConfigFileError(
                    path, f"{section}.{name} = {brief(value)}: allowed is {key.allowed.text}"
                ) from None
    return fields
