"""The key of what is compiled."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mcastd.fastpath.bpf_source import FLAGS, FORMAT, key_of


def test_the_key_is_of_the_text_alone_whatever_python_asks(tmp_path: Path) -> None:
    """A package's file is made by one Python and read by others."""
    (tmp_path / "b.h").write_text("int b;\n")
    (tmp_path / "a.c").write_text("int a;\n")
    (tmp_path / "README").write_text("not read\n")
    parts = [str(FORMAT), os.uname().machine, "a.c", *FLAGS, "-DX", "a.c", "b.h"]
    whole = "\0".join([*parts, "int a;\n", "int b;\n"]).encode()

    expected = hashlib.blake2b(whole, digest_size=8).hexdigest()

    assert key_of("a.c", ("-DX",), tmp_path) == expected
    (tmp_path / "b.h").write_text("int c;\n")
    assert key_of("a.c", ("-DX",), tmp_path) != expected
