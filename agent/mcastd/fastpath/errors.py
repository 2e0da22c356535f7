"""Says in one line what has gone wrong between the agent and the kernel's BPF."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

OLDEST = (5, 18)
"""Linux before it has no bpf_xdp_load_bytes(), and no live frames of BPF_PROG_TEST_RUN."""

RIGHTS = "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN: run it as root or by its systemd unit"
"""What loading takes. Without CAP_PERFMON the verifier follows also the paths that a processor may
guess, and gives up before it has followed them all."""

CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 12, 21, 38, 39

REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.E2BIG})
"""What the kernel says to one who lacks a capability: which of them, and in which words of the
verifier, differs from release to release."""

FULL = frozenset({errno.E2BIG, errno.ENOMEM, errno.ENOSPC})
"""What the kernel says of a map that has no room, or that there is no memory for."""


class FastPathError(Exception):
    """The fast path cannot be had; the text says why and how to mend it."""


class ProgramRefusedError(OSError):
    """The kernel does not take a program; `log` is all that its verifier said, if anything."""

    def __init__(self, code: int, text: str, log: str) -> None:
        super().__init__(code, text)
        self.log = log


def explained(error: OSError) -> str:
    """One line for an error of a BPF call, with the remedy where there is one."""
    text = error.strerror or str(error)
    remedy = remedy_of(error.errno or 0, text)
    return f"{text} ({remedy})" if remedy else text


def remedy_of(code: int, text: str) -> str:
    """What to do, or what the kernel lacks; empty where nothing is known."""
    needed = "Linux {}.{} or newer is needed".format(*OLDEST)
    if release() < OLDEST:
        return f"{needed}, this is {os.uname().release}"
    if code in REFUSALS and not may_load():
        return f"needs {RIGHTS}"
    if code == errno.EPERM or "!root" in text:
        return forbidden()
    if "unknown func" in text or "invalid func" in text:
        return f"this kernel, {os.uname().release}, lacks a function of BPF that Linux 5.18 has"
    return {
        errno.ENOSYS: "this kernel has no bpf(): one with CONFIG_BPF_SYSCALL is needed",
        errno.EMFILE: "too many open files: raise LimitNOFILE",
    }.get(code, "")


def forbidden() -> str:
    """What forbids BPF to one who has the capabilities."""
    return (
        "the capabilities are there: lockdown, a security module or a seccomp filter forbids BPF; "
        "see dmesg and /sys/kernel/security/lockdown"
    )


def may_load() -> bool:
    """Whether this process has the capabilities that loading takes."""
    held = int(
        next(
            line.split()[1]
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("CapEff:")
        ),
        16,
    )
    administrator = held >> CAP_SYS_ADMIN & 1
    return bool(held >> CAP_NET_ADMIN & 1) and all(
        administrator or held >> each & 1 for each in (CAP_PERFMON, CAP_BPF)
    )


def release() -> tuple[int, ...]:
    """Linux's version here."""
    return version(os.uname().release)


def version(text: str) -> tuple[int, ...]:
    """The first two numbers of a release, however the rest is named."""
    return tuple(int(each) for each in re.findall(r"\d+", text)[:2])
