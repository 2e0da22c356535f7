"""The reference of all settings, and a JSON Schema: made of the tables that check the files.

`python tests/support/settings_reference.py` writes docs/configuration.md and
docs/mcastd.schema.json anew. What a key means is taken from the manual page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from mcastd.allowed import Allowed
from mcastd.fastpath.hooks import HookChoice
from mcastd.gmp.config import TUNABLES, HostConfig
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import Duration, in_seconds
from mcastd.service import guard, interface_settings, stream_settings
from mcastd.service.config import DEFAULT_METRICS, KEYS, Settings
from mcastd.service.guard import Guard
from mcastd.service.interface_settings import OURS, STREAMS
from mcastd.service.mode import Mode
from mcastd.service.stream_settings import StreamSettings

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "deploy" / "man" / "mcastd.toml.5"
PAGE = ROOT / "docs" / "configuration.md"
SCHEMA = ROOT / "docs" / "mcastd.schema.json"

INTERFACE = "interface.NAME"

HEAD = """# Every setting

Made of the tables by which `mcastd check-config`, a start and a reload check the files
(`python tests/support/settings_reference.py` writes it anew); mcastd.toml(5) has the rest.
[mcastd.schema.json](mcastd.schema.json) is the same for editors and other programs.
"""

SECTIONS = {
    "agent": "The agent as a whole.",
    "metrics": "/metrics, and what it has.",
    "control": "The control socket.",
    "streams": "If this section is there, multicast data is counted per stream.",
    INTERFACE: "Of an interface; under `[defaults]`, of all of them.",
}


class Setting(NamedTuple):
    """One key. `default`: as a file would have it; None where there is none."""

    section: str
    name: str
    default: Any
    allowed: Allowed


def settings() -> Iterator[Setting]:
    """In the order of the page."""
    defaults = Settings()
    for section in ("agent", "metrics", "control"):
        for (where, name), key in KEYS.items():
            if where == section:
                default = DEFAULT_METRICS if name == "listen" else getattr(defaults, key[0])
                yield Setting(section, name, default, key.allowed)
    streams = StreamSettings()
    for name, of_streams in stream_settings.KEYS.items():
        default = getattr(streams, of_streams.field)
        yield Setting("streams", name, written(default, of_streams.allowed), of_streams.allowed)
    yield Setting(INTERFACE, "mode", Mode.OBSERVE.value, interface_settings.KEYS["mode"])
    yield Setting(INTERFACE, "hook", HookChoice.AUTO.value, interface_settings.KEYS["hook"])
    yield Setting(INTERFACE, STREAMS, None, interface_settings.KEYS[STREAMS])
    for name, default in Guard().as_mapping().items():
        yield Setting(INTERFACE, name, default, guard.KEYS[name])
    for name, tunable in TUNABLES.items():
        config = HostConfig.from_mapping(tunable.family or IGMP, OURS)
        default = getattr(config, tunable.field)
        if name == "ssm_ranges":
            default = ["232.0.0.0/8", "ff3x::/32"]
        yield Setting(INTERFACE, name, written(default, tunable.allowed), tunable.allowed)


def written(value: Any, allowed: Allowed) -> Any:
    """A default as a file would have it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return in_seconds(Duration(value)) if allowed.unit == "seconds" else value


# What a key means.


def meanings(text: str) -> dict[tuple[str, str], str]:
    """By section and key, the manual page's paragraph about it."""
    found = {}
    for part in re.split(r'^\.SH "', text, flags=re.M):
        title = part.partition("\n")[0]
        section = INTERFACE if "AND" in title else title.strip('[]"')
        for paragraph in re.split(r"^\.(?:TP|PP|SS.*)$", part, flags=re.M)[1:]:
            head, _, body = paragraph.strip().partition("\n")
            if head.startswith((".B ", ".BR ")):
                for key in re.findall(r"[a-z_0-9]{3,}", head.partition(" ")[2]):
                    found[section, key] = plain(body)
    return found


def plain(roff: str) -> str:
    lines = [re.sub(r"^\.[A-Z]+ ", "", line) for line in roff.splitlines()]
    text = " ".join(line for line in lines if line.strip())
    for old, new in (
        ("\\-", "-"),
        (" ,", ","),
        (" .", "."),
        ("|", "\\|"),
        ("\\e", "\\"),
    ):
        text = text.replace(old, new)
    return text


def page() -> str:
    texts = meanings(MANUAL.read_text())
    lines = [HEAD]
    for section, about in SECTIONS.items():
        lines += [
            f"## [{section}]\n",
            f"{about}\n",
            "| key | default | allowed | unit | what it does |",
        ]
        lines.append("|---|---|---|---|---|")
        for each in settings():
            if each.section == section:
                default = "" if each.default is None else f"`{json.dumps(each.default)}`"
                allowed = each.allowed.text.replace("|", "\\|")
                meaning = texts[section, each.name]
                lines.append(
                    f"| `{each.name}` | {default} | {allowed} | {each.allowed.unit} | {meaning} |"
                )
        lines.append("")
    return "\n".join(lines)


# The schema.


def schema_of(setting: Setting) -> dict[str, Any]:
    """What JSON Schema says of one key."""
    found = dict(setting.allowed.schema)
    return found if setting.default is None else found | {"default": setting.default}


def schema() -> dict[str, Any]:
    texts = meanings(MANUAL.read_text())
    sections: dict[str, dict[str, Any]] = {}
    for each in settings():
        described = schema_of(each) | {"description": texts[each.section, each.name]}
        sections.setdefault(each.section, {})[each.name] = described
    interface = {**closed(sections.pop(INTERFACE)), "description": SECTIONS[INTERFACE]}
    interface["properties"]["membership"] = {
        "type": "array",
        "items": {"$ref": "#/$defs/membership"},
    }
    streams = sections["streams"]
    streams["format"] = {"type": "array", "items": {"type": "object"}}
    legs = {leg: {"type": "string"} for leg in ("a", "b")}
    streams["pair"] = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": legs,
            "required": list(legs),
            "additionalProperties": False,
        },
    }
    interfaces = {"type": "object", "additionalProperties": {"$ref": "#/$defs/interface"}}
    namespace = closed(
        {
            "path": {"type": "string"},
            "max_interfaces": {"type": "integer", "minimum": 1},
            "defaults": {"$ref": "#/$defs/interface"},
            "interface": interfaces,
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mcastd.toml",
        **closed(
            {name: closed(keys) for name, keys in sections.items()}
            | {
                "defaults": {"$ref": "#/$defs/interface"},
                "interface": interfaces,
                "namespace": {"type": "object", "additionalProperties": namespace},
            }
        ),
        "$defs": {"interface": interface, "membership": membership()},
    }


def membership() -> dict[str, Any]:
    keys = {
        "group": {"type": "string"},
        "sources": {"type": "array", "items": {"type": "string"}},
        "mode": {"enum": ["include", "exclude"]},
        "kernel": {"type": "boolean"},
    }
    return {**closed(keys), "required": ["group"]}


def closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A section: a key that is not known is refused."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def schema_text() -> str:
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(schema_text())
