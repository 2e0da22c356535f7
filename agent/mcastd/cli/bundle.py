"""`mcastctl bundle`: writes all that one sends to a colleague or a vendor into one file.

What is in it is said before it is written. The frames are put into a pcapng file here, so
that the daemon need not.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mcastd
from mcastd import pcapng
from mcastd.cli.namespace_tables import qualified
from mcastd.client import AgentError, Client
from mcastd.printable import printable

DONE, BAD_INPUT = 0, 2

MODE = 0o600

ANSWERS = {
    "status": "interfaces, versions, queriers, what is wrong",
    "groups": "what was joined, with sources, and by which programs and users",
    "querier": "who asks on each link",
    "streams": "the multicast data that comes, by stream",
    "pairs": "streams that are sent twice, by leg",
    "counters": "all counters",
    "doctor": "the findings",
}

CONFIGURATION = "the daemon's files, without comments and with secrets taken out"


class Part(NamedTuple):
    """A file of the bundle; `what`: for who reads the list."""

    name: str
    data: bytes
    what: str


def bundle(args: argparse.Namespace) -> int:
    """Gathers, says what there is, and writes, unless it is only to be said."""
    path = Path(args.file)
    if not path.name.endswith((".tar.gz", ".tgz")):
        return refuse(f"{path}: a bundle is named FILE.tar.gz")
    if path.exists() and not args.force and not args.dry_run:
        return refuse(f"{path}: is there already; name another file, or give --force")
    with Client(args.control) as client:
        parts, left_out = gathered(client)
    tell(args, path, parts, left_out)
    if args.dry_run:
        return DONE
    try:
        write(path, parts, force=args.force)
    except OSError as error:
        return refuse(f"{path}: {error.strerror or error}")
    if not args.json:
        print(f"written: {printable(str(path))} (mode {MODE:04o})")
    return DONE


def refuse(text: str) -> int:
    print(printable(f"mcastctl: {text}"), file=sys.stderr)
    return BAD_INPUT


def gathered(client: Client) -> tuple[list[Part], list[str]]:
    """The parts, and what is left out and why."""
    parts, left_out = [], []
    recording = client.call("recording")
    frames = [each for each in recording if each["kind"] == "frame"]
    rest = [each for each in recording if each["kind"] != "frame"]
    parts.append(
        Part(
            "recorder.pcapng",
            pcapng.file(in_order(frames)),
            f"{len(frames)} control messages as they were on the wire, with all addresses",
        )
    )
    for kind, what in (("event", "events"), ("counters", "readings of the counters")):
        some = [each for each in rest if each["kind"] == kind]
        lines = "".join(f"{json.dumps(each)}\n" for each in some)
        parts.append(Part(f"{what.split()[-1]}.jsonl", lines.encode(), f"{len(some)} {what}"))
    for method, what in ANSWERS.items():
        parts.append(as_json(f"{method}.json", client.call(method), what))
    try:
        parts.append(as_json("configuration.json", client.call("configuration"), CONFIGURATION))
    except AgentError as error:
        left_out.append(str(error))
    for namespace, problem in client.lacking.items():
        left_out.append(f"namespace {namespace}: {problem}")
    parts.append(as_json("versions.json", versions(), "of mcastctl, Python and the kernel"))
    return parts, left_out


def as_json(name: str, content: Any, what: str) -> Part:
    return Part(name, (json.dumps(content, indent=1) + "\n").encode(), what)


def in_order(frames: list[dict[str, Any]]) -> Iterator[pcapng.Frame]:
    for each in sorted(frames, key=lambda each: each["ts_ns"]):
        yield pcapng.Frame(
            qualified(each),
            each["ts_ns"],
            each["direction"] == "tx",
            each["length"],
            bytes.fromhex(each["data"]),
            "" if each["fate"] == "passed" else each["fate"],
        )


def versions() -> dict[str, str]:
    """The daemon's own is in its status."""
    return {
        "mcastctl": mcastd.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "system": system_name(),
    }


def system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def tell(args: argparse.Namespace, path: Path, parts: list[Part], left_out: list[str]) -> None:
    """What is in it; as JSON one document."""
    if args.json:
        contents = [{"name": e.name, "bytes": len(e.data), "what": e.what} for e in parts]
        document = {"file": str(path), "contents": contents, "left_out": left_out}
        print(json.dumps(document | {"written": not args.dry_run}), flush=True)
        return
    width = max(len(each.name) for each in parts)
    lines = [f"{each.name.ljust(width)}  {len(each.data):>8} bytes  {each.what}" for each in parts]
    lines += [f"left out: {each}" for each in left_out]
    lines.append("it names addresses, groups, programs and users: look at it before you send it")
    print("\n".join(map(printable, lines)), flush=True)


def write(path: Path, parts: list[Part], *, force: bool) -> None:
    """A new file for its owner alone; one that is replaced is so at once. OSError."""
    target = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), MODE)
            stream.write(packed(path, parts))
        if force:
            target.replace(path)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def packed(path: Path, parts: list[Part]) -> bytes:
    """One directory, named as the file."""
    folder = path.name.removesuffix(".tar.gz").removesuffix(".tgz")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for each in parts:
            info = tarfile.TarInfo(f"{folder}/{each.name}")
            info.size, info.mtime, info.mode = len(each.data), int(time.time()), MODE
            archive.addfile(info, io.BytesIO(each.data))
    return buffer.getvalue()
