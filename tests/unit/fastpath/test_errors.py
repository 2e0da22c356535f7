"""What the kernel refuses is said with what to do about it."""

from __future__ import annotations

import errno

import pytest
from mcastd.fastpath import describe, said
from mcastd.fastpath.kernel import last_words


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EPERM, "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"),
        (errno.ENOSYS, "Linux 5.18 or newer is needed"),
        (errno.EMFILE, "raise LimitNOFILE"),
        (errno.ENOMEM, "creating BPF maps: Cannot allocate memory"),
    ],
)
def test_an_error_has_its_remedy(code: int, text: str) -> None:
    found = describe("creating BPF maps", code)

    assert found.startswith("creating BPF maps: ")
    assert text in found


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (errno.EBUSY, "another program is there"),
        (errno.ERANGE, "the MTU is too large for it"),
        (errno.EOPNOTSUPP, "the driver cannot"),
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
