"""The Internet checksum over messages of three sizes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import partial
from typing import Any

from mcastd import _native
from mcastd.native import checksum

from mcastd_bench.row import Contest, Missing, Row, Sampler, Timed

SIZES = [64, 1480, 65_000]
MESSAGES = 16


def python_checksum(data: bytes) -> int:
    """The fastest way without a C module: a number modulo 0xffff is the sum of its 16-bit words."""
    return (int.from_bytes(data, "big") % 0xFFFF) ^ 0xFFFF


def rows() -> Iterable[Row]:
    return [Row(f"checksum/{size}", "ns", partial(_contest, size)) for size in SIZES]


def _contest(size: int) -> Contest:
    rng = random.Random(size)
    messages = [(rng.randbytes(size),) for _ in range(MESSAGES)]
    assert all(checksum(data) == python_checksum(data) for (data,) in messages)
    target = _native.ffi.new("uint8_t[]", size)
    copies = [(target, data, size) for (data,) in messages]
    return Contest(
        ours=Timed(checksum, messages),
        baselines={
            "python": Timed(python_checksum, messages),
            "numpy": _numpy(messages),
            "memcpy": Timed(_native.ffi.memmove, copies),
        },
    )


def _numpy(messages: list[tuple[bytes]]) -> Sampler | Missing:
    try:
        import numpy as np  # noqa: PLC0415
    except ImportError as why:
        return Missing(str(why))

    def numpy_checksum(data: bytes) -> Any:
        words = np.frombuffer(data, np.uint32)
        total = int(words.sum(dtype=np.uint64)) % 0xFFFF
        return (total >> 8 | (total & 0xFF) << 8) ^ 0xFFFF

    assert all(numpy_checksum(data) == checksum(data) for (data,) in messages)
    return Timed(numpy_checksum, messages)
