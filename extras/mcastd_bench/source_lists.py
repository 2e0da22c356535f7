"""Set algebra on source lists, and their making from wire bytes.

Everybody gets the same addresses in the form it likes best: sets of int (of bytes for IPv6) that
share their elements, sorted numpy arrays of uint32 (of 16-byte strings for IPv6, which numpy sorts
fastest), pyroaring bit maps (which have no IPv6). Half of each list is in the other. `sparse` lists
are spread over the whole address space; `dense` ones are one address in eight of a range.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from mcastd.native import SourceList

from mcastd_bench.row import Contest, Missing, Row, Sampler, Timed

SIZES = [16, 365, 4096, 1_000_000]
WIDTHS = {"v4": 4, "v6": 16}
DENSITIES = ["sparse", "dense"]

PAIRS = {16: 64, 365: 32, 4096: 8, 1_000_000: 1}
"""How many different pairs of lists take turns; nothing learns a million addresses by heart."""

CHECKED_MOST = 4096
"""Up to this size it is checked first that our results are those of sets."""

DENSE_SPREAD = 8
DENSE_FIRST = {4: IPv4Address("10.0.0.0").packed, 16: IPv6Address("2001:db8::").packed}

Baseline = Sampler | Missing


@dataclass(frozen=True, slots=True)
class Operation:
    """The same operation of everybody; numpy's by name, since numpy may not be there."""

    name: str
    binary: Callable[[Any, Any], Any]
    numpy: str
    numpy_options: dict[str, bool]


OPERATIONS = [
    Operation("union", operator.or_, "union1d", {}),
    Operation("difference", operator.sub, "setdiff1d", {"assume_unique": True}),
    Operation("intersection", operator.and_, "intersect1d", {"assume_unique": True}),
]


def rows() -> Iterable[Row]:
    for size in SIZES:
        for family, width in WIDTHS.items():
            for density in DENSITIES:
                kind = f"{size}/{family}/{density}"
                for operation in OPERATIONS:
                    contest = partial(_algebra, operation, size, width, density)
                    yield Row(f"source_lists.{operation.name}/{kind}", "ns", contest)
                making = partial(_from_wire, size, width, density)
                yield Row(f"source_lists.from_wire/{kind}", "ns", making)


def _algebra(operation: Operation, size: int, width: int, density: str) -> Contest:
    inputs = _inputs(size, width, density)
    if size <= CHECKED_MOST:
        _check(operation, inputs)
    return Contest(
        ours=Timed(operation.binary, inputs.source_lists),
        baselines={
            "python_set": Timed(operation.binary, inputs.sets),
            "numpy": _numpy_algebra(operation, inputs),
            "pyroaring": _pyroaring_algebra(operation, inputs),
        },
    )


def _check(operation: Operation, inputs: Inputs) -> None:
    for (a, b), (x, y) in zip(inputs.pairs, inputs.source_lists, strict=True):
        assert set(operation.binary(x, y)) == operation.binary(set(a), set(b))


def _numpy_algebra(operation: Operation, inputs: Inputs) -> Baseline:
    try:
        import numpy as np  # noqa: PLC0415
    except ImportError as why:
        return Missing(str(why))
    return Timed(partial(getattr(np, operation.numpy), **operation.numpy_options), inputs.arrays)


def _pyroaring_algebra(operation: Operation, inputs: Inputs) -> Baseline:
    bit_map = _bit_map(inputs.width)
    if isinstance(bit_map, Missing):
        return bit_map
    return Timed(operation.binary, [(bit_map(a), bit_map(b)) for a, b in inputs.sets])


def _from_wire(size: int, width: int, density: str) -> Contest:
    wires = [(b"".join(a),) for a, _ in _inputs(size, width, density).pairs]

    def python(wire: bytes) -> object:
        return {wire[i : i + width] for i in range(0, len(wire), width)}

    return Contest(
        ours=Timed(partial(SourceList.from_wire, width=width), wires),
        baselines={
            "python_set": Timed(python, wires),
            "numpy": _numpy_from_wire(wires, width),
            "pyroaring": _pyroaring_from_wire(wires, width),
        },
    )


def _numpy_from_wire(wires: list[tuple[bytes]], width: int) -> Baseline:
    try:
        import numpy as np  # noqa: PLC0415
    except ImportError as why:
        return Missing(str(why))
    return Timed(lambda wire: np.unique(_array(wire, width)), wires)


def _pyroaring_from_wire(wires: list[tuple[bytes]], width: int) -> Baseline:
    """By way of numpy, whose arrays pyroaring reads without making an object of each number."""
    bit_map = _bit_map(width)
    if isinstance(bit_map, Missing):
        return bit_map
    try:
        import numpy  # noqa: F401, PLC0415
    except ImportError as why:
        return Missing(str(why))
    return Timed(lambda wire: bit_map(_array(wire, width)), wires)


def _bit_map(width: int) -> Any:
    if width != 4:
        return Missing("has no addresses of 128 bits")
    try:
        from pyroaring import BitMap  # noqa: PLC0415
    except ImportError as why:
        return Missing(str(why))
    return BitMap


def _array(wire: bytes, width: int) -> Any:
    import numpy as np  # noqa: PLC0415

    if width == 4:
        return np.frombuffer(wire, ">u4").astype(np.uint32)
    return np.frombuffer(wire, "S16")


@dataclass
class Inputs:
    """Pairs of lists of different addresses in no order, and each in everybody's form."""

    width: int
    pairs: list[tuple[list[bytes], list[bytes]]]

    @cached_property
    def source_lists(self) -> list[tuple[SourceList, SourceList]]:
        width = self.width
        return [(SourceList.of(a, width), SourceList.of(b, width)) for a, b in self.pairs]

    @cached_property
    def sets(self) -> list[tuple[set[Any], set[Any]]]:
        if self.width == 16:
            return [(set(a), set(b)) for a, b in self.pairs]
        return [_sets_of_int(a, b) for a, b in self.pairs]

    @cached_property
    def arrays(self) -> list[tuple[Any, Any]]:
        """Only where numpy is."""
        lists = self.source_lists
        return [(_array(x.packed, self.width), _array(y.packed, self.width)) for x, y in lists]


def _sets_of_int(a: list[bytes], b: list[bytes]) -> tuple[set[int], set[int]]:
    numbers = {each: int.from_bytes(each, "big") for each in (*a, *b)}
    return {numbers[each] for each in a}, {numbers[each] for each in b}


@lru_cache(maxsize=1)
def _inputs(size: int, width: int, density: str) -> Inputs:
    """The same in every run."""
    rng = random.Random(f"{size} {width} {density}")
    pairs = []
    for _ in range(PAIRS[size]):
        addresses = _addresses(rng, size + size // 2, width, density)
        pairs.append((addresses[:size], addresses[size // 2 :]))
    return Inputs(width, pairs)


def _addresses(rng: random.Random, count: int, width: int, density: str) -> list[bytes]:
    """Different ones, two thirds of which are a list."""
    if density == "sparse":
        spare = count + count // 64 + 2
        data = rng.randbytes(spare * width)
        different = dict.fromkeys(data[i : i + width] for i in range(0, len(data), width))
        return list(different)[:count]
    first = int.from_bytes(DENSE_FIRST[width], "big")
    numbers = rng.sample(range(first, first + DENSE_SPREAD * count * 2 // 3), count)
    return [number.to_bytes(width, "big") for number in numbers]
