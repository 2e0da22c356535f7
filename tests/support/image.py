"""The image of `make image`: built, looked into, and run by podman as Kubernetes would run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
from mcastd_lab import Namespace

from support.host_lab import eventually
from support.machines.archive import system_mirror
from support.machines.errors import MachineError
from support.machines.places import REPOSITORY
from support.packages import run
from support.podman import are_removed, podman
from support.privileges import UNIT

PROFILE = REPOSITORY / "deploy" / "image" / "seccomp.json"
PLACE = REPOSITORY / "build" / "image"

FEW = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Fewer than podman's own: they are set by one who may not have more than this machine allows."""

AS_KUBERNETES = ("setpriv", "--ambient-caps=-all", "--inh-caps=-all", "mcastd")
"""Kubernetes has no ambient capabilities, which podman gives to a user that is not root."""


def built() -> Path:
    """The archive that MCASTD_IMAGE names, or one built anew; the test is skipped, with the reason,
    where that cannot be."""
    named = os.environ.get("MCASTD_IMAGE")
    if named:
        return Path(named)
    for tool in ("podman", "mmdebstrap", "setcap", "dpkg-scanpackages"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: deploy/setup.sh --image installs it")
    try:
        system_mirror()
    except MachineError as error:
        pytest.skip(str(error))
    run([str(REPOSITORY / "deploy" / "image.sh")])
    (archive,) = PLACE.glob("*.tar")
    return archive


class Image(NamedTuple):
    """In a store of podman's that goes with the tests."""

    archive: Path
    place: Path
    name: str

    def podman(self, *arguments: str) -> list[str]:
        return [*podman(self.place), *arguments]

    def once(self, *arguments: str) -> str:
        """What the image's program says with these arguments, and with no capability."""
        parent = f"{self.place.name}-once"
        options = [
            "--rm",
            "--cap-drop=all",
            "--network=none",
            *FEW,
            "--cgroup-parent",
            f"/{parent}",
        ]
        try:
            return run(self.podman("run", *options, self.name, *arguments)).stdout
        finally:
            eventually("no control groups are left", partial(are_removed, parent))

    def size(self) -> int:
        """Octets of all that is in it."""
        shown = run(self.podman("image", "inspect", "--format", "{{.Size}}", self.name)).stdout
        return int(shown)

    def configured(self) -> dict[str, Any]:
        (found,) = json.loads(run(self.podman("image", "inspect", self.name)).stdout)
        configured: dict[str, Any] = found["Config"]
        return configured

    def files(self) -> Iterator[tarfile.TarInfo]:
        """Of its one layer."""
        with tarfile.open(self.archive) as whole:
            named = json.load(opened(whole, "manifest.json"))[0]["Layers"]
            (layer,) = named
            with tarfile.open(fileobj=opened(whole, layer)) as inner:
                yield from inner


def opened(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """What has that name, links followed."""
    found = archive.extractfile(name)
    assert found is not None, name
    return found


@contextmanager
def loaded(archive: Path) -> Iterator[Image]:
    """The archive in a store of its own, which goes again."""
    # pytest's own directories have longer names than podman takes.
    place = Path(tempfile.mkdtemp(prefix="mcastd-image-"))
    try:
        said = run([*podman(place), "load", "--quiet", "--input", str(archive)]).stdout
        yield Image(archive, place, said.strip().rpartition(" ")[2])
    finally:
        shutil.rmtree(place)


def capabilities() -> list[str]:
    (given,) = re.findall("^AmbientCapabilities=(.*)$", UNIT.read_text(), re.MULTILINE)
    return [each.removeprefix("CAP_") for each in given.split()]


class Container:
    """One that runs; what it says is kept."""

    def __init__(self, image: Image, number: str, log: Path, namespace: Namespace) -> None:
        self._image, self.number, self._log, self._namespace = image, number, log, namespace

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program beside the agent, as `kubectl exec` starts it."""
        return run(self._image.podman("exec", self.number, *command), check=False)

    def ask(self, *command: str) -> Any:
        done = self.run("mcastctl", *command, "--json")
        assert done.returncode == 0, done.stderr + self.log()
        return json.loads(done.stdout)

    def page(self, path: str, port: int = 9776) -> int:
        """The status that a probe gets from the pod's own address."""
        with self._namespace.entered():
            connection = HTTPConnection("192.0.2.10", port, timeout=60)
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            finally:
                connection.close()

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def container(
    image: Image, namespace: Namespace, config: Path, *entry: str, more: Sequence[str] = ()
) -> Iterator[Container]:
    """With the four capabilities, a root that is read-only, in the namespace.

    `entry`: what is run instead of the image's own program. The test is skipped, with podman's
    words, where it can run no container.
    """
    run_as = image.configured()["User"]
    place = Path(tempfile.mkdtemp(prefix="mcastd-container-"))
    number, parent = place / "number", place.name
    command = image.podman(
        "run", "--rm", "--cidfile", str(number), "--cgroup-parent", f"/{parent}",
        "--network", f"ns:/run/netns/{namespace.name}", "--read-only", "--read-only-tmpfs=false",
        "--cap-drop=all", *(f"--cap-add={each}" for each in capabilities()),
        "--security-opt", f"seccomp={PROFILE}",
        *FEW, "--tmpfs", "/run/mcastd:mode=0777,size=1m", "--volume", f"{config}:/etc/mcastd:ro",
        *more, *(("--entrypoint", json.dumps([*entry])) if entry else ()), image.name,
    )  # fmt: skip
    assert run_as.partition(":")[0] not in ("", "0", "root"), "the image is root's"
    log = place / "log"
    try:
        with log.open("wb") as kept:
            process = subprocess.Popen(
                [*command, "run", "--config=/etc/mcastd/mcastd.toml", "--metrics=192.0.2.10:9776"],
                stdin=subprocess.DEVNULL, stdout=kept, stderr=kept,
            )  # fmt: skip
        try:
            made = Container(image, begun(process, number, log), log, namespace)
            yield made
        finally:
            process.terminate()  # podman hands it on
            try:
                process.wait(60)
            finally:
                process.kill()
            eventually("no control groups are left", partial(are_removed, parent))
    finally:
        shutil.rmtree(place)


def begun(process: subprocess.Popen[bytes], number: Path, log: Path) -> str:
    """Its number, once it runs."""

    def look() -> str | None:
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip()[-400:]
            if "mcastd" not in said:
                pytest.skip(f"podman cannot run a container here: {said}")
            raise AssertionError(said)
        return number.read_text().strip() if number.exists() else None

    return eventually("the container has a number", look, 120.0)
