"""The verifier's work on each kernel, as the table keeps it; it must not grow without a word."""

from __future__ import annotations

from collections.abc import Mapping

from support import supported
from support.supported import Row

MEASURED = "bookworm"
"""Of whose compiler's programs the verifier's work is measured."""

GROWTH = 1.1


def rows_of(kernel: str, properties: Mapping[str, str]) -> list[Row]:
    """Of what tests/bpf/test_bpf_verifier.py recorded there."""
    found = []
    for name, value in properties.items():
        word, _, program = name.partition(" ")
        if word == "verifier":
            instructions, milliseconds = value.split()
            row = {"program": program, "kernel": kernel}
            found.append(row | {"instructions": instructions, "ms": milliseconds})
    return found


def check(rows: list[Row]) -> None:
    """AssertionError for a program whose work has grown by a tenth, and the table has less."""
    before = {
        (each["program"], each["kernel"]): int(each["instructions"])
        for each in supported.kept().get("verifier", [])
    }
    for row in rows:
        kept = before.get((row["program"], row["kernel"]))
        assert kept is None or int(row["instructions"]) <= kept * GROWTH, (
            f"{row['program']} on {row['kernel']}: {row['instructions']} instructions, and the "
            f"table says {kept}: `make kernels` measures anew, `make supported` says so"
        )
