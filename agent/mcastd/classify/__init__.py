"""Captured packets through the classifier and the decoders that run on the NIC's traffic.

What reads capture files is imported when it is used: the daemon never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mcastd.classify.lines import as_object, as_text

if TYPE_CHECKING:
    from mcastd.classify.captures import CapturedPacket, CaptureError, read_capture
    from mcastd.classify.links import decode_link, is_readable
    from mcastd.classify.summary import Summary, packets

__all__ = [
    "CaptureError",
    "CapturedPacket",
    "Summary",
    "as_object",
    "as_text",
    "decode_link",
    "is_readable",
    "packets",
    "read_capture",
]

_MODULES = {
    "CaptureError": "captures",
    "CapturedPacket": "captures",
    "read_capture": "captures",
    "decode_link": "links",
    "is_readable": "links",
    "Summary": "summary",
    "packets": "summary",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
