"""Captured packets through the classifier and the decoders that run on the NIC's traffic.

What reads capture files is imported when it is used: the daemon never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcastd.classify.lines import as_object, as_text
from mcastd.lazy import lazily

if TYPE_CHECKING:
    from mcastd.classify.captures import CapturedPacket, CaptureError, read_capture
    from mcastd.classify.links import decode_link, is_readable
    from mcastd.classify.summary import Summary, packets
    from mcastd.classify.whole import judged, not_looked_into

__all__ = [
    "CaptureError",
    "CapturedPacket",
    "Summary",
    "as_object",
    "as_text",
    "decode_link",
    "is_readable",
    "judged",
    "not_looked_into",
    "packets",
    "read_capture",
]

MODULES = {
    "captures": ("CaptureError", "CapturedPacket", "read_capture"),
    "links": ("decode_link", "is_readable"),
    "summary": ("Summary", "packets"),
    "whole": ("judged", "not_looked_into"),
}

__getattr__ = lazily(__name__, MODULES)
