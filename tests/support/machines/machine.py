"""A virtual machine: the running system, copy-on-write, under another kernel.

QEMU without KVM, a guest made by virtme-ng: its root is this machine's, read-only, under overlays
in the guest's memory, so that nothing done in it stays. QEMU ends with the process that started
it, in whichever way that ends. Commands and what they say go through files in a shared directory.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from support.machines.errors import MachineError
from support.machines.kernel import Kernel
from support.machines.places import BUILD, REPOSITORY

BOOT_SECONDS = 900.0
"""Twenty seconds on an idle machine, minutes on one with much other work."""

END_SECONDS = 20.0
GRACE_SECONDS = 30.0
"""How much longer than its limit a command may take before the machine is given up."""

OVERLAYS = ("/etc", "/home", "/lib", "/opt", "/root", "/srv", "/usr", "/var", "/tmp")
"""Where the guest may write, beside the repository; the rest of its root is read-only."""

CACHED = ("/usr", str(REPOSITORY))
"""What the guest reads most; it may keep it, since nobody is to change it meanwhile."""

CACHED_VIEW = (
    *("-fsdev", "local,id=cached,path=/,security_model=none,readonly=on,multidevs=remap"),
    *("-device", "virtio-9p-pci,fsdev=cached,mount_tag=cached"),
)

SHARED = "/run/exchange"
"""Where the guest sees the machine's `directory`: what is to outlast the guest goes there."""

DRIVERS = """
cat /sys/bus/pci/devices/*/modalias /sys/bus/virtio/devices/*/modalias |
grep -E '^pci:.*bc02|^virtio:d00000001' | sort -u | xargs -r -n 1 modprobe
cd /sys/class/net
for name in eth*; do
	number=$(cut -d : -f 6 "$name/address")
	ip link set "$name" name "nic$((0x$number - 1))"
done
for name in nic*; do ip link set "$name" name "eth${name#nic}"; done
"""
"""Their order is that of the last byte of their addresses, and not that in which drivers come."""

SLOWER = 8
"""How many times longer than here things may take in the machine; for MCASTD_TEST_PATIENCE."""


class Nic(NamedTuple):
    """One of the machine's NICs; those on the same `wire` hear each other, and nobody else.

    `model` is QEMU's: virtio-net-pci, vmxnet3, e1000e, igb. `properties` are the model's,
    "mrg_rxbuf=off". They are eth0, eth1 ... in the order given.
    """

    model: str = "virtio-net-pci"
    wire: int = 0
    properties: str = ""

    def arguments(self, number: int) -> list[str]:
        device = f"{self.model},netdev=n{number},mac=52:54:00:12:34:{number + 1:02x}"
        return [
            "-netdev",
            f"hubport,id=n{number},hubid={self.wire}",
            "-device",
            f"{device},{self.properties}" if self.properties else device,
        ]


class Machine:
    """A context: up when it is entered, gone when it is left. MachineError if it does not come up.

    `memory` in MiB. `arguments` are QEMU's, `options` the kernel's command line's.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        nics: Sequence[Nic] = (),
        memory: int = 2048,
        cpus: int = 2,
        arguments: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.kernel = kernel
        self._nics = nics
        self._shape = ["--memory", f"{memory}M", "--cpus", str(cpus)]
        self._arguments = [word for at, nic in enumerate(nics) for word in nic.arguments(at)]
        self._arguments += arguments
        self._options = ["net.ifnames=0", "biosdevname=0", *options]
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        remove_leftovers()
        runs = BUILD / "run"
        runs.mkdir(parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))
        try:
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _boot(self) -> None:
        shutil.copy(Path(__file__).with_name("guest.sh"), self.directory)
        command = self._command()
        with (self.directory / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait("up", BOOT_SECONDS, "it did not boot")
        said = (self.directory / "up").read_text().strip()
        if said:
            raise MachineError(f"{self.kernel.release}: no view of this system: {said}")
        if self._nics:
            self._load_drivers()

    def _load_drivers(self) -> None:
        """Nobody else does: no udev runs in the guest."""
        done = self.run(["sh", "-c", f"{DRIVERS}ls -d eth*"])
        there = done.stdout.split()
        if len(there) != len(self._nics):
            raise MachineError(f"{self.kernel.release}: {len(there)} NICs appeared: {done.stderr}")

    def _command(self) -> list[str]:
        """QEMU's, as virtme-run makes it."""
        virtme = tool("virtme-run", "pip install virtme-ng", Path(sys.executable).parent)
        tool("qemu-system-x86_64", "apt-get install qemu-system-x86")
        done = subprocess.run(
            [
                *(virtme, "--kimg", self.kernel.image, "--mods", "auto", "--user", "root"),
                *("--disable-kvm", "--force-9p", "--disable-monitor", "--show-boot-console"),
                *self._shape,
                *("--rwdir", f"{SHARED}={self.directory}"),
                *(word for each in OVERLAYS for word in ("--overlay-rwdir", each)),
                *(word for each in self._options for word in ("--kopt", each)),
                *("--dry-run", "--show-command", "--save-initramfs", self.directory / "initramfs"),
                *("--script-sh", shlex.join(["sh", f"{SHARED}/guest.sh", *CACHED])),
            ],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(self.directory)},
        )
        words = shlex.split(done.stdout)
        if done.returncode != 0 or not words:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise MachineError(f"virtme-run: {said[-1] if said else done.returncode}")
        return [*words, *CACHED_VIEW, *self._arguments]

    def run(
        self,
        command: Sequence[str | Path],
        *,
        seconds: float = 300.0,
        environment: Mapping[str, str] | None = None,
        where: Path = REPOSITORY,
        follow: Callable[[str], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs it in the guest as root, with .venv on PATH and a TMPDIR where all works.

        A command that takes longer than `seconds` is ended: its exit code is 124. `follow` gets
        the lines of its standard output as they come. MachineError if the machine dies.
        """
        words = [str(each) for each in command]
        name = f"{next(self._numbers):03}"
        settings = guest_environment() | dict(environment or {})
        given = shlex.join(f"{key}={value}" for key, value in settings.items())
        limit = f"timeout --kill-after=10 {seconds:.0f}"
        (self.directory / f"{name}.part").write_text(
            f"cd {shlex.quote(str(where))} && exec env -i {given} {limit} {shlex.join(words)}\n"
        )
        (self.directory / f"{name}.part").rename(self.directory / f"{name}.request")
        what = f"{words[0]} did not end"
        output = self.directory / f"{name}.out"
        self._wait(f"{name}.code", seconds + GRACE_SECONDS, what, Follower(output, follow))
        return subprocess.CompletedProcess(
            words,
            int((self.directory / f"{name}.code").read_text()),
            output.read_text(errors="replace"),
            (self.directory / f"{name}.err").read_text(errors="replace"),
        )

    def _wait(
        self, name: str, seconds: float, what: str, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Until the file is there."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while True:
            there, ended = (self.directory / name).exists(), self._process.poll() is not None
            if meanwhile:
                meanwhile()
            if there:
                return
            if ended or time.monotonic() > deadline:
                why = "QEMU ended" if ended else f"not within {seconds:.0f} s"
                raise MachineError(f"{self.kernel.release}: {what}: {why}: {self.console()}")
            time.sleep(0.05)

    @property
    def is_up(self) -> bool:
        """Whether it has not ended, as it does when its kernel panics."""
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """The last that the kernel said."""
        text = (self.directory / "console").read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "nothing on the console"

    def close(self) -> None:
        """Ends it; the guest is asked first."""
        if self._process is not None:
            (self.directory / "end").touch()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Follower:
    """Hands on the whole lines of a file that grows."""

    def __init__(self, path: Path, follow: Callable[[str], None] | None) -> None:
        self._path, self._follow, self._seen = path, follow, 0

    def __call__(self) -> None:
        if self._follow is None or not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._seen)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._seen += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._follow(line)


ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def guest_environment() -> dict[str, str]:
    """As a login would have it, and what the tests need to know."""
    paths = f"{REPOSITORY}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "PATH": paths,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TMPDIR": "/run/scratch",
        "MCASTD_TEST_PATIENCE": str(SLOWER),
    }


def tool(name: str, remedy: str, *directories: Path) -> str:
    """Its path; MachineError with the remedy if it is not installed."""
    places = os.pathsep.join([*map(str, directories), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        raise MachineError(f"no {name}: {remedy} (deploy/setup.sh --test does it)")
    return found


def remove_leftovers() -> None:
    """Directories of processes that are no more; their machines ended with them."""
    for each in (BUILD / "run").glob("*-*"):
        if not Path("/proc", each.name.partition("-")[0]).exists():
            shutil.rmtree(each, ignore_errors=True)
