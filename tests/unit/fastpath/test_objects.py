"""Compiled programs: their source, the key they are kept under, and where."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from mcastd.fastpath import bpf_source
from mcastd.fastpath.bpf_source import key_of, source
from mcastd.fastpath.compiling import forget_oldest
from mcastd.fastpath.objects import BpfObject, MapSpec, ProgramSpec, cache_directory

DOCUMENT = {
    "compiler": "bcc 0.26.0",
    "maps": [
        {"name": "counters", "type": 6, "key_size": 4, "value_size": 8, "entries": 64, "flags": 0}
    ],
    "programs": [
        {
            "name": "mcast_xdp",
            "type": "xdp",
            "code": base64.b64encode(bytes(16)).decode(),
            "maps": [[0, "counters"]],
        }
    ],
}


def test_an_object_is_read_as_it_is_written() -> None:
    assert BpfObject.from_json(DOCUMENT) == BpfObject(
        "bcc 0.26.0",
        (MapSpec("counters", 6, 4, 8, 64, 0),),
        (ProgramSpec("mcast_xdp", "xdp", bytes(16), ((0, "counters"),)),),
    )


@pytest.mark.parametrize("missing", ["compiler", "maps", "programs"])
def test_an_object_with_something_missing_is_refused(missing: str) -> None:
    with pytest.raises(KeyError):
        BpfObject.from_json({key: each for key, each in DOCUMENT.items() if key != missing})


NOTHING = bytes(8)
MOVE = b"\xb7\x01\0\0" + b"sacm"
"""r1 = 0x6d636173"""


def test_one_program_serves_both_hooks_of_traffic_control() -> None:
    compiled = ProgramSpec("mcast_tc", "tc", NOTHING + MOVE + NOTHING, ((2, "counters"),))

    ingress, egress = compiled.variants()

    assert (ingress.name, egress.name) == ("mcast_ingress", "mcast_egress")
    assert ingress.code == NOTHING + MOVE[:4] + b"\1\0\0\0" + NOTHING
    assert egress.code == NOTHING + MOVE[:4] + b"\2\0\0\0" + NOTHING
    assert {ingress.maps, egress.maps} == {compiled.maps}


@pytest.mark.parametrize("code", [NOTHING, MOVE + MOVE, b"\x18\1\0\0sacm" + NOTHING])
def test_a_program_that_could_be_for_no_hook_is_refused(code: bytes) -> None:
    with pytest.raises(ValueError, match="places and not in one"):
        list(ProgramSpec("mcast_tc", "tc", code, ()).variants())


def test_included_headers_are_in_the_source_once(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text('#include "a.h"\n#include "b.h"\nint main;\n')
    (tmp_path / "a.h").write_text("int a;\n")
    (tmp_path / "b.h").write_text('  #include "a.h"\n#include <uapi/linux/bpf.h>\nint b;\n')

    text = source("main.c", tmp_path)

    assert text.split() == [
        "int",
        "a;",
        "#include",
        "<uapi/linux/bpf.h>",
        "int",
        "b;",
        "int",
        "main;",
    ]


@pytest.mark.parametrize("name", ["programs.c", "generator.c"])
def test_the_projects_own_sources_have_no_headers_left_to_find(name: str) -> None:
    assert '#include "' not in source(name)


def test_the_key_changes_with_all_that_goes_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def key(main: str = "a.c", *flags: str) -> str:
        return key_of(main, flags, tmp_path)

    (tmp_path / "a.c").write_text("int a;")
    (tmp_path / "b.h").write_text("")
    keys = [key(), key("b.c"), key("a.c", "-DX"), key("a.c", "-DX", "-DY")]
    (tmp_path / "b.h").write_text("int b;")
    keys.append(key())
    (tmp_path / "b.h").rename(tmp_path / "c.h")
    keys.append(key())
    another = os.uname_result((*os.uname()[:4], "another"))
    monkeypatch.setattr(os, "uname", lambda: another)
    keys.append(key())
    monkeypatch.setattr(bpf_source, "FORMAT", 99)
    keys.append(key())

    assert len(set(keys)) == len(keys)
    assert key() == keys[-1]
    (tmp_path / "README").write_text("of no importance")
    assert key() == keys[-1]


def test_only_the_newest_of_what_was_kept_stay(tmp_path: Path) -> None:
    for age in range(6):
        path = tmp_path / f"programs-{age}.json"
        path.write_text("{}")
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "generator-0.json").write_text("{}")
    (tmp_path / "programs.txt").write_text("")

    forget_oldest(tmp_path, "programs.c")

    left = {each.name for each in tmp_path.iterdir()}
    assert left == {
        *(f"programs-{age}.json" for age in range(4)), "generator-0.json", "programs.txt"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "root", "directory"),
    [
        ({"MCASTD_CACHE": "/a"}, True, "/a"),
        ({"MCASTD_CACHE": "/a", "CACHE_DIRECTORY": "/b"}, True, "/a"),
        ({"CACHE_DIRECTORY": "/b:/c"}, False, "/b"),
        ({"XDG_CACHE_HOME": "/x"}, True, "/var/cache/mcastd"),
        ({"XDG_CACHE_HOME": "/x"}, False, "/x/mcastd"),
        ({"HOME": "/home/user"}, False, "/home/user/.cache/mcastd"),
    ],
)
def test_where_compiled_programs_are_kept(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], root: bool, directory: str
) -> None:
    for name in ("MCASTD_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)

    assert cache_directory() == Path(directory)
