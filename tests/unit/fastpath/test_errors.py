"""What the kernel refuses is said with what to do about it."""

from __future__ import annotations

import errno

import pytest
from mcastd.fastpath import errors
from mcastd.fastpath.attach import NO_CLSACT, said
from mcastd.fastpath.errors import explained
from mcastd.fastpath.kernel import last_words

MAPS = "BPF map query_events: "


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "release", lambda: (6, 1))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.ENOSYS, "one with CONFIG_BPF_SYSCALL is needed"),
        (errno.EMFILE, "raise LimitNOFILE"),
    ],
)
def test_an_error_has_its_remedy(code: int, text: str) -> None:
    found = explained(OSError(code, f"{MAPS}no"))

    assert found.startswith(f"{MAPS}no (")
    assert text in found


def test_an_error_without_a_remedy_is_said_as_it_is() -> None:
    assert explained(OSError(errno.ENOMEM, f"{MAPS}no memory")) == f"{MAPS}no memory"


@pytest.mark.parametrize(
    ("may", "text"),
    [
        (False, "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"),
        (True, "lockdown, a security module or a seccomp filter forbids BPF"),
    ],
)
def test_who_has_the_capabilities_is_not_told_to_get_them(
    may: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "may_load", lambda: may)
    assert text in explained(OSError(errno.EPERM, f"{MAPS}Operation not permitted"))


@pytest.mark.parametrize("code", [errno.EPERM, errno.EINVAL, errno.E2BIG])
def test_on_a_kernel_that_is_too_old_that_is_the_reason(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "release", lambda: (5, 10))
    assert "(Linux 5.18 or newer is needed, this is " in explained(OSError(code, f"{MAPS}no"))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("6.12.117+deb13-amd64", (6, 12)),
        ("5.15.0-1055-azure", (5, 15)),
        ("6.8-rc1", (6, 8)),
        ("6.18.44-fc-v782", (6, 18)),
    ],
)
def test_releases_are_read_however_they_are_named(text: str, numbers: tuple[int, ...]) -> None:
    assert errors.version(text) == numbers


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (errno.EBUSY, "another program is there"),
        (errno.ERANGE, "the MTU is too large for it"),
        (errno.EOPNOTSUPP, "the driver cannot"),
        (errno.ENOENT, NO_CLSACT),
        (errno.ENODEV, "No such device"),
    ],
)
def test_why_a_hook_is_not_to_be_had(code: int, meaning: str) -> None:
    assert said(OSError(code, "attaching mcast_xdp")) == meaning


def test_the_verifiers_reason_is_not_its_statistics() -> None:
    log = "0: (85) call unknown#189\ninvalid func unknown#189\nprocessed 1 insns (limit 1000000)\n"

    assert last_words(log) == "invalid func unknown#189"


def test_a_verifier_that_says_nothing_has_no_last_words() -> None:
    assert last_words("") == last_words("processed 0 insns\n") == ""
