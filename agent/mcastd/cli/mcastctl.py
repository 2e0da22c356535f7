"""`mcastctl`: asks the running daemon over its control socket, and has it change things."""

from __future__ import annotations

import argparse
import io
import itertools
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import mcastd
from mcastd.cli import bundle, findings, tables, walk
from mcastd.cli.changing import add_changes
from mcastd.cli.outcome import BAD_INPUT, DONE, NO, NOT_THERE, Run, show
from mcastd.cli.ranges import RangeError
from mcastd.cli.watching import watch
from mcastd.client import AgentError, Client, NotThereError, socket_path
from mcastd.printable import cleaned, printable

CLEAR = "\x1b[H\x1b[2J"
"""Begins the screen anew, on terminals."""

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
"""A name that means nothing else to any shell."""

SECONDS = "seconds between two screens (default %(default)s)"


def main(arguments: list[str] | None = None) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    show_all_characters()
    args = parser().parse_args(arguments)
    try:
        result: int = args.run(args)
    except AgentError as error:
        return complain(error, NOT_THERE if error.code == "not_permitted" else BAD_INPUT)
    except NotThereError as error:
        return complain(error, NOT_THERE)
    except RangeError as error:
        return complain(error, BAD_INPUT)
    except KeyboardInterrupt:
        return DONE
    return result


def show_all_characters() -> None:
    """What the terminal's encoding lacks is shown by its number, and is no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(error: Exception, code: int) -> int:
    print(printable(f"mcastctl: {error}"), file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="mcastctl", description="Talks to the running mcastd.")
    top.add_argument("--version", action="version", version=f"mcastctl {mcastd.__version__}")
    top.add_argument(
        "--control", metavar="PATH", default=socket_path(),
        help="the daemon's control socket (%(default)s)",
    )  # fmt: skip
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, summary: str, run: Run) -> argparse.ArgumentParser:
        text = summary[0].upper() + summary[1:] + "."
        added: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=text)
        added.add_argument("--json", action="store_true", help="JSON instead of a table")
        added.set_defaults(run=run, method=name)
        return added

    add_questions(command)
    add_searches(command)
    add_changes(command)
    return top


def add_questions(command: Callable[[str, str, Run], argparse.ArgumentParser]) -> None:
    """What the agent knows."""
    command("status", "show each interface on a line, and what is wrong with it", ask)
    added = command("groups", "show the groups that this host receives; exit 1 if none fits", ask)
    added.add_argument("name", metavar="IFACE", nargs="?")
    added.add_argument("group", metavar="GROUP", nargs="?")
    added = command("streams", "show multicast data by stream; exit 1 if there is none", streams)
    added.add_argument("name", metavar="IFACE", nargs="?")
    added.add_argument("group", metavar="GROUP", nargs="?")
    added.add_argument(
        "--pairs",
        action="store_true",
        help="show pairs instead, streams that are sent twice: what each leg lost, what neither "
        "brought, and the skew",
    )
    added.add_argument("--watch", action="store_true", help="repeat until interrupted")
    added.add_argument("--interval", metavar="S", type=float, default=1.0, help=SECONDS)
    added.add_argument("--count", metavar="N", type=int, help="with --watch: stop after N screens")
    added = command(
        "querier", "show who sends queries on each link, how often, in which version", ask
    )
    added.add_argument("name", metavar="IFACE", nargs="?")
    added = command("counters", "show all counters, also those that are 0", ask)
    added.add_argument("name", metavar="IFACE", nargs="?")


def add_searches(command: Callable[[str, str, Run], argparse.ArgumentParser]) -> None:
    """What goes wrong, and what happens now."""
    added = command(
        "doctor", "look for common faults, and say how to fix them; exit 1 if there is one", doctor
    )
    added.add_argument("name", metavar="IFACE", nargs="?")
    added.add_argument("group", metavar="GROUP", nargs="?")
    added = command(
        "bundle",
        "write all that the daemon knows to one file, for whoever helps you",
        bundle.bundle,
    )
    added.add_argument("file", metavar="FILE.tar.gz")
    added.add_argument("--force", action="store_true", help="replace an existing file")
    added.add_argument(
        "--dry-run", action="store_true", help="only list what the file would contain"
    )
    added = command("top", "show interfaces, queriers, groups, streams and events live", top)
    added.add_argument("--interval", metavar="S", type=float, default=1.0, help=SECONDS)
    added.add_argument("--count", metavar="N", type=int, help="stop after N screens")
    added = command("watch", "print events as they happen", watch)
    added.add_argument("--type", metavar="T", help="print only this type of message, or this event")
    added.add_argument("--interface", metavar="IFACE")
    added.add_argument("--count", metavar="N", type=int, help="stop after N events")
    added.add_argument(
        "--exec",
        metavar="CMD",
        help="run CMD for each event, without a shell; MCASTD_ variables hold the event",
    )
    added = command("names", "print interfaces or groups, one a line, for shell completion", names)
    added.add_argument("of", choices=("interfaces", "groups"))


def asked_of(args: argparse.Namespace) -> dict[str, str]:
    """The interface and the group that the answer is to be about, if any are named."""
    return {name: value for name in ("name", "group") if (value := getattr(args, name))}


def tell_lacking(client: Client) -> None:
    """Says which namespaces have not answered."""
    for namespace, problem in client.lacking.items():
        print(printable(f"mcastctl: namespace {namespace}: {problem}"), file=sys.stderr)


def ask(args: argparse.Namespace) -> int:
    """One request, one answer."""
    given = {name: getattr(args, name, None) for name in ("name", "group")}
    parameters = {name: value for name, value in given.items() if value is not None}
    with Client(args.control) as client:
        result = client.call(args.method, **parameters)
    tell_lacking(client)
    show(args, result, tables.render(args.method, cleaned(result)))
    return NO if args.method == "groups" and not result else DONE


def doctor(args: argparse.Namespace) -> int:
    """The findings; what was looked at, if there are none. Notes alone are no answer "no"."""
    wanted = asked_of(args)
    with Client(args.control) as client:
        result = client.call("doctor", **wanted)
        tell_lacking(client)
        status = None if args.json else client.call("status")
        has_fault = any(each["severity"] == "fault" for each in result)
        is_walked = len(wanted) == 2 and (has_fault or args.json)
        walked = way(client, result, args.name, args.group) if is_walked else None
    text = "" if status is None else findings.render(cleaned(result), cleaned(status), **wanted)
    if walked is not None:
        text += f"\n{walked.text()}"
    show(args, result if walked is None else [*result, walked.as_object()], text)
    return NO if has_fault else DONE


def way(client: Client, found: list[dict[str, Any]], name: str, group: str) -> walk.Way:
    """The steps of one group's way; why there are none, if the interface has gone meanwhile."""
    try:
        answers = walk.Answers(
            cleaned(found),
            cleaned(client.call("groups", name=name, group=group)),
            cleaned(client.call("querier", name=name)),
            cleaned(client.call("streams", name=name, group=group)),
        )
    except AgentError as error:
        return walk.Way(name, group, (), printable(str(error)))
    return walk.Way(name, group, tuple(walk.steps(name, group, answers)))


def names(args: argparse.Namespace) -> int:
    """Those that any shell takes as they are: interfaces are named by whoever makes them."""
    try:
        with Client(args.control) as client:
            if args.of == "groups":
                found = [each["group"] for each in client.call("groups")]
            else:
                found = [each["name"] for each in client.call("status")["interfaces"]]
    except (AgentError, NotThereError):
        return NOT_THERE  # the word is not completed; there is no place for a complaint
    plain = sorted({each for each in found if PLAIN.fullmatch(each)})
    show(args, plain, "\n".join(plain))
    return DONE


def top(args: argparse.Namespace) -> int:
    """The live screen; only now, because no other command needs a terminal's library."""
    from mcastd.cli.top import top as run  # noqa: PLC0415

    return run(args)


def streams(args: argparse.Namespace) -> int:
    """The streams, once or again and again; as JSON a line for each time."""
    if args.pairs and args.name is not None:
        return complain(ValueError("--pairs are of two interfaces each: name none"), BAD_INPUT)
    most = args.count if args.watch else 1
    with Client(args.control) as client:
        for count in itertools.count(1):
            result = (
                client.call("pairs") if args.pairs else client.call("streams", **asked_of(args))
            )
            show_streams(args, result)
            if most is not None and count >= most:
                return DONE if result else NO
            time.sleep(args.interval)
    return DONE


def show_streams(args: argparse.Namespace, result: list[dict[str, Any]]) -> None:
    """On a terminal that is watched, in place of what was shown before."""
    on_screen = args.watch and sys.stdout.isatty() and not args.json
    table = tables.pairs if args.pairs else tables.streams
    show(args, result, f"{CLEAR if on_screen else ''}{table(cleaned(result))}")


if __name__ == "__main__":
    sys.exit(main())
