"""Speaks the service manager's protocol: sends it state, and descriptors that it keeps.

sd_notify(3), sd_listen_fds(3), and the descriptor store of systemd.service(5)
(FileDescriptorStoreMax=). All of it is the environment's: without a manager nothing happens.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

FIRST = 3
"""The first descriptor that is handed over (SD_LISTEN_FDS_START)."""

PATIENCE_SECONDS = 2.0
"""Until a manager that does not read what it is sent is given up."""

_handed_over: dict[str, int] | None = None


def notify(state: str, descriptors: Sequence[int] = (), *, patience: float = 0.0) -> None:
    """One message, with descriptors if there are any. OSError if it does not reach the manager.

    Without a manager nothing happens. `patience`: seconds to wait for room.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    import socket  # noqa: PLC0415 (what is handed over is looked at before anything else)
    from array import array  # noqa: PLC0415

    address = "\0" + path[1:] if path.startswith("@") else path
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect(address)
        sock.sendmsg([state.encode(errors="backslashreplace")], rights if descriptors else [])


def is_there() -> bool:
    """Whether a service manager wants to hear of this process."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def keep(name: str, descriptor: int, *, patience: float = PATIENCE_SECONDS) -> None:
    """Has the manager keep a copy of the descriptor until the service is stopped. OSError.

    It does not look whether it can be read or written (FDPOLL=0), which means nothing here.
    """
    notify(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [descriptor], patience=patience)


def drop(name: str, *, patience: float = PATIENCE_SECONDS) -> None:
    """The manager closes what it keeps under this name. OSError."""
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}", patience=patience)


def handed_over(environment: Mapping[str, str] | None = None) -> dict[str, int]:
    """What the manager has handed over to this process, by name; none of it outlasts an exec.

    The environment is looked at once: what comes of it is this process's alone. Of several with
    the same name the last counts, and the others are closed.
    """
    global _handed_over  # noqa: PLW0603 (as the descriptors are, it is the process's)
    if environment is not None:
        return _named(environment)
    if _handed_over is None:
        _handed_over = _named(os.environ)
    return _handed_over


def _named(environment: Mapping[str, str]) -> dict[str, int]:
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return {}
    given = environment.get("LISTEN_FDS", "")
    count = int(given) if given.isdecimal() else 0
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, int] = {}
    for number in range(count):
        descriptor = FIRST + number
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            continue  # it says more than there are
        name = names[number] if number < len(names) else "unknown"
        if name in found:
            os.close(found[name])
        found[name] = descriptor
    return found
