"""Loading: with few rights, from the cache, and never from one that others could have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcastd.fastpath import compiling, objects
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import AttachType, Kernel, Link
from mcastd.fastpath.objects import BpfObject, obtain
from mcastd.fastpath.others import users_of
from mcastd_lab import Lab, veth

pytestmark = pytest.mark.bpf

WITH_FEW_RIGHTS = """
import sys
from pathlib import Path
from mcastd._libbpf import lib
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.kernel import AttachType, Kernel, Link
from mcastd.fastpath.programs import begin_loading

kinds, kept = sys.argv[2].split(), 0
for capability in map(int, sys.argv[3:]):
    kept |= 1 << capability
assert lib.mcast_keep_capabilities(kept) == 0
compiled = obtain(print, cache=Path(sys.argv[1]))
fast_path = FastPath(begin_loading(compiled))
fast_path.wait()
kernel = Kernel(compiled)
for name in sorted(spec.name for spec in compiled.programs if spec.type in kinds):
    kernel.program(name)
kernel.program("mcast_xdp", frags=True)
print("loaded", "bcc" in sys.modules)
"""

CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = "12", "38", "39"


PACKETS = "xdp tc"
ALL = f"{PACKETS} iterator"
"""Kinds of programs: those of packets, and what looks at sockets, which some kernels do not permit
while they are locked down for confidentiality."""


def run_with(kept: Path, *capabilities: str, kinds: str = ALL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITH_FEW_RIGHTS, str(kept), kinds, *capabilities],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kinds", [ALL, PACKETS], ids=["all", "packets"])
def test_three_capabilities_are_enough_to_load(kept: Path, compiled: BpfObject, kinds: str) -> None:
    assert {each.type for each in compiled.programs} == set(ALL.split())
    done = run_with(kept, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, kinds=kinds)

    assert (done.returncode, done.stdout) == (0, "loaded False\n"), done.stderr


@pytest.mark.parametrize(
    "capabilities",
    [(), (CAP_BPF,), (CAP_NET_ADMIN,), (CAP_BPF, CAP_NET_ADMIN), (CAP_BPF, CAP_PERFMON)],
)
def test_with_less_the_error_says_what_is_needed(
    kept: Path, compiled: BpfObject, capabilities: tuple[str, ...]
) -> None:
    done = run_with(kept, *capabilities)

    assert done.returncode == 1
    assert "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" in done.stderr.splitlines()[-1]


WITH_RIGHTS_UNUSED = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert libc.capget(header, data) == 0
data[0] = data[3] = 0  # what is effective, of both halves
assert libc.capset(header, data) == 0
assert "CapEff:\\t0000000000000000" in open("/proc/self/status").read()
from mcastd.fastpath.opening import Opening
Opening().result(lambda _text: None).wait()
print("loaded")
"""


def test_rights_that_a_file_grants_and_that_are_not_used_yet_are_enough(
    compiled: BpfObject, kept: Path
) -> None:
    """So it is in a container, whose capabilities are the interpreter's file's."""
    done = subprocess.run(
        [sys.executable, "-c", WITH_RIGHTS_UNUSED],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MCASTD_CACHE": str(kept)},
    )
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


def test_every_program_loads(compiled: BpfObject) -> None:
    kernel = Kernel(compiled)
    for spec in compiled.programs:
        assert kernel.program(spec.name).fd >= 0
    kernel.close()


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FastPathError("the compiler was run")

    monkeypatch.setattr(compiling, "run_compiler", refuse)


@pytest.fixture
def cache(kept: Path, compiled: BpfObject, tmp_path: Path) -> Path:
    """A cache of one's own, with the compiled programs in it."""
    for each in kept.glob("*.json"):
        (tmp_path / each.name).write_bytes(each.read_bytes())
        (tmp_path / each.name).chmod(0o644)
    return tmp_path


def only_file(cache: Path) -> Path:
    (found,) = cache.glob("*.json")
    return found


def test_the_second_time_nothing_is_compiled(
    cache: Path, compiled: BpfObject, without_compiler: None
) -> None:
    said: list[str] = []

    assert obtain(said.append, cache=cache) == compiled
    assert said == []
    assert "bcc" not in sys.modules


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"maps": 1}'])
def test_a_damaged_file_is_not_used(cache: Path, without_compiler: None, content: bytes) -> None:
    only_file(cache).write_bytes(content)
    said: list[str] = []

    with pytest.raises(FastPathError, match="the compiler was run"):
        obtain(said.append, cache=cache)
    assert said[0].startswith(f"{only_file(cache)}: not used: ")


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602])
def test_a_file_that_others_may_write_is_not_used(
    cache: Path, without_compiler: None, mode: int
) -> None:
    only_file(cache).chmod(mode)
    said: list[str] = []

    with pytest.raises(FastPathError, match="the compiler was run"):
        obtain(said.append, cache=cache)
    assert said[0] == f"{only_file(cache)}: not used: others than its owner may write it"


def test_a_file_of_another_user_is_not_used(cache: Path, without_compiler: None) -> None:
    os.chown(only_file(cache), 12345, -1)
    said: list[str] = []

    with pytest.raises(FastPathError, match="the compiler was run"):
        obtain(said.append, cache=cache)
    assert "not used" in said[0]


def test_other_flags_are_another_program(cache: Path, without_compiler: None) -> None:
    with pytest.raises(FastPathError, match="the compiler was run"):
        obtain(print, ("-DOTHER",), cache=cache)


def test_what_was_compiled_is_kept_for_its_owner_to_write(kept: Path, compiled: BpfObject) -> None:
    (found,) = kept.glob("*.json")

    assert found.stat().st_mode & 0o777 == 0o644
    assert BpfObject.from_json(json.loads(found.read_text())) == compiled
    assert list(kept.iterdir()) == [found], "nothing half written is left"


def test_code_that_the_compiler_refuses_is_an_error_with_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = "int mcast_xdp(void *ctx) { return nonsense; }"
    monkeypatch.setattr(objects, "source", lambda main: bad)

    with pytest.raises(FastPathError, match="bcc did not compile the programs: "):
        obtain(print, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_users_of_agents_on_an_interface_are_seen(compiled: BpfObject) -> None:
    """By the programs there: an abstract socket alone might be anybody's."""
    kernel = Kernel(compiled)
    with Lab() as lab:
        host, outside = lab.namespace("host"), lab.namespace("outside")
        veth(outside, "out0", host, "eth0")
        with host.entered():
            index = host.index("eth0")
            if users_of("mcast_egress", index) is None:
                pytest.skip("this kernel has no TCX to be asked")
            assert users_of("mcast_egress", index) == []
            link = Link(kernel.program("mcast_egress"), index, AttachType.TCX_EGRESS)
            assert users_of("mcast_egress", index) == [os.geteuid()]
            assert users_of("mcast_ingress", index) == []
            link.close()
    kernel.close()
