"""A program's name by taskstats, which answers where /proc hides the processes of others.

The kernel answers in its first network and process namespaces alone, and to who has CAP_NET_ADMIN.
"""

from __future__ import annotations

import struct

from mcastd.net.asking import ask, attributes, request
from mcastd.net.rtnetlink import HEADER

NETLINK_GENERIC = 16
GENERAL = struct.Struct("=BBH")
"""struct genlmsghdr: command, version, reserved."""

CONTROLLER, GET_FAMILY, FAMILY_ID, FAMILY_NAME = 16, 3, 1, 2
"""Of generic netlink itself (linux/genetlink.h)."""

GET, PID, STATS, OF_PID = 1, 1, 3, 4
"""Of taskstats (linux/taskstats.h): its command, its question, and where the answer stands."""

NAME_AT, NAME_LENGTH = 80, 32
"""ac_comm in struct taskstats, which has only grown at its end."""


def task_name(pid: int) -> str | None:
    """The name of a process, as /proc/PID/comm has it; None if the kernel does not tell."""
    try:
        known = _asked(CONTROLLER, GET_FAMILY, FAMILY_NAME, b"TASKSTATS\0")
        (family,) = struct.unpack("=H", known[FAMILY_ID])
        answer = _asked(family, GET, PID, struct.pack("=I", pid))
    except (OSError, LookupError, struct.error):
        return None
    stats = dict(attributes(answer.get(OF_PID, b""))).get(STATS, b"")
    name = stats[NAME_AT : NAME_AT + NAME_LENGTH].partition(b"\0")[0]
    return name.decode(errors="backslashreplace") or None


def _asked(family: int, command: int, attribute: int, value: bytes) -> dict[int, bytes]:
    """The attributes of the answer to a question of one attribute. OSError."""
    asked = struct.pack("=HH", 4 + len(value), attribute) + value + bytes(-len(value) % 4)
    question = request(family, GENERAL.pack(command, 1, 0) + asked)
    (answer,) = ask(question, protocol=NETLINK_GENERIC)
    return dict(attributes(answer.data[HEADER.size + GENERAL.size :]))
