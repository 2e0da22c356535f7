"""How much work the verifier has with each program, which the kernels' table keeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mcastd.fastpath.objects import BpfObject
from support.verifier import work

pytestmark = pytest.mark.bpf

LIMIT = 1_000_000
"""Of instructions that the verifier walks through (BPF_COMPLEXITY_LIMIT_INSNS)."""


def test_the_verifier_is_far_from_giving_up(
    compiled: BpfObject, record_property: Callable[[str, object], None]
) -> None:
    for name, each in work(compiled).items():
        record_property(f"verifier {name}", f"{each.instructions} {each.milliseconds:.1f}")
        assert 0 < each.instructions < LIMIT / 4, name
