"""What can go wrong between the agent and the kernel's BPF, said in one line each."""

from __future__ import annotations

import errno
import os

RIGHTS = "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN: run it as root or by its systemd unit"
"""What loading takes. Without CAP_PERFMON the verifier follows also the paths that a processor may
guess, and gives up before it has followed them all."""


class FastPathError(Exception):
    """The fast path cannot be had; the text says why and how to mend it."""


def describe(what: str, code: int) -> str:
    """One line for an errno of a BPF call, with the remedy where there is one."""
    remedy = {
        errno.EPERM: f"needs {RIGHTS}",
        errno.ENOSYS: "this kernel has no bpf(): Linux 5.18 or newer is needed",
        errno.EMFILE: "too many open files: raise LimitNOFILE",
    }.get(code)
    text = f"{what}: {os.strerror(code)}"
    return f"{text} ({remedy})" if remedy else text
