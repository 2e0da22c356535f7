"""Shows the configuration to others: what the files say, without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcastd.service import config
from mcastd.service.documents import Json, JsonObject

if TYPE_CHECKING:
    from mcastd.service.agent import Agent

SECRET = re.compile(r"pass(word|wd|phrase)?$|secret|token|credential|private|api_?key|auth", re.I)
"""Keys whose value is told to nobody. mcastd's own files have none; what they may have one day, or
what somebody has written into them, is left out."""

USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
"""A name and password in an address (RFC 3986 §3.2.1)."""

TAKEN_OUT = "(taken out)"


def configuration(agent: Agent) -> JsonObject:
    """By file, what stands in it. A file that cannot be read says why."""
    path = agent.settings.path
    found: JsonObject = {}
    try:
        files = config.files(path)
    except config.ConfigFileError as error:
        return {str(path): {"problem": str(error)}}
    for each in files:
        try:
            found[str(each)] = without_secrets(config.read(each))
        except config.ConfigFileError as error:
            found[str(each)] = {"problem": USER_INFO.sub("", str(error))}
    return found


def without_secrets(value: object, key: str = "") -> Json:
    """Likewise, whatever it is made of."""
    if SECRET.search(key):
        return TAKEN_OUT
    if isinstance(value, Mapping):
        return {name: without_secrets(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, str):
        return USER_INFO.sub(f"{TAKEN_OUT}@", value)
    return value if isinstance(value, bool | int | float) else str(value)
