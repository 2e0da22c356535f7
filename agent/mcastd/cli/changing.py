"""The commands of mcastctl that change something: memberships, mode, version, configuration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from mcastd.cli import change_texts
from mcastd.cli.namespace_tables import qualified
from mcastd.cli.outcome import DONE, NO, Run, show
from mcastd.cli.ranges import groups_of
from mcastd.client import Client
from mcastd.printable import cleaned, printable


def add_changes(command: Callable[[str, str, Run], argparse.ArgumentParser]) -> None:
    added = command("join", "join a group for the agent itself, in host mode", join)
    add_membership(added)
    added.add_argument("--exclude", action="store_true", help="receive all sources except these")
    added.add_argument("--hold", action="store_true", help="leave when this command exits")
    added.add_argument(
        "--kernel",
        action="store_true",
        help="join by sockets, so that the kernel sends the reports",
    )
    added.add_argument(
        "--hold-after-leave", metavar="S", type=int, default=0,
        help="receive the group for S seconds after the leave, so that a program that restarts "
        "misses nothing",
    )  # fmt: skip
    added = command(
        "leave", "leave a group that `join` has joined; exit 1 if it was not joined", leave
    )
    add_membership(added)
    added.add_argument(
        "--now", action="store_true", help="end it at once, whatever --hold-after-leave said"
    )
    added = command(
        "mode", "hand an interface over to the agent (host) or back to the kernel (observe)", change
    )
    added.add_argument("name", metavar="IFACE")
    added.add_argument("mode", choices=("observe", "host"))
    added = command(
        "reload",
        "read the configuration again, as SIGHUP does; exit 1 if some of it needs a restart",
        reload,
    )
    added.add_argument("--undo", action="store_true", help="also undo what was set by hand")
    added = command("version", "show or set the newest version that may be spoken", version)
    added.add_argument("name", metavar="IFACE", nargs="?")
    added.add_argument("protocol", nargs="?", choices=("igmp", "mld"))
    added.add_argument("version", metavar="N", nargs="?", type=int)
    added.add_argument("--dry-run", action="store_true", help="only say what it would change")
    added.add_argument("--announce", action="store_true", help="report all groups at once")
    added.add_argument("--persist", action="store_true", help="also write it to a drop-in file")


def add_membership(added: argparse.ArgumentParser) -> None:
    added.add_argument("name", metavar="IFACE")
    added.add_argument("group", metavar="GROUP", help="or a range, such as 239.1.0.0/28")
    added.add_argument("--source", metavar="S", action="append", default=[], dest="sources")
    added.add_argument(
        "--name", metavar="N", dest="application", help="application name (default: this command's)"
    )


def join(args: argparse.Namespace) -> int:
    results = []
    with Client(args.control) as client:
        for group in groups_of(args.group):
            result = client.join(
                args.name, group, sources=args.sources, exclude=args.exclude,
                name=args.application, hold=args.hold, kernel=args.kernel,
                hold_after_leave=args.hold_after_leave,
            )  # fmt: skip
            results.append(result)
            if not args.json:
                print(change_texts.membership_line(cleaned(result)), flush=True)
        if args.json:
            print(json.dumps(results if "/" in args.group else results[0]), flush=True)
        if not args.hold:
            return warn(next((each for each in results if each.get("problem")), {}))
        client.wait()
    return DONE


def warn(result: dict[str, Any]) -> int:
    """It is done; what it lacks is told."""
    if result.get("problem"):
        text = "it may not be so after a restart of the agent"
        print(printable(f"mcastctl: {text}: {result['problem']}"), file=sys.stderr)
    return DONE


def leave(args: argparse.Namespace) -> int:
    """Done if all of them were joined."""
    results = []
    with Client(args.control) as client:
        for group in groups_of(args.group):
            left = client.leave(
                args.name, group, sources=args.sources, name=args.application, now=args.now
            )
            results.append({"left": left} | ({"group": group} if "/" in args.group else {}))
            text = f"{group} was not joined on {args.name} by this name"
            if not args.json:
                print(printable("left" if left else text), flush=True)
    if args.json:
        print(json.dumps(results if "/" in args.group else results[0]), flush=True)
    return DONE if all(each["left"] for each in results) else NO


def change(args: argparse.Namespace) -> int:
    with Client(args.control) as client:
        result = client.call("mode", name=args.name, mode=args.mode)
    shown = cleaned(result)
    show(args, result, f"{qualified(shown)}: {shown['from']} -> {shown['to']}")
    return DONE


def reload(args: argparse.Namespace) -> int:
    with Client(args.control) as client:
        result = client.call("reload", undo=args.undo)
    show(args, result, change_texts.reloaded(cleaned(result)))
    return NO if result.get("needs_restart") else DONE


def version(args: argparse.Namespace) -> int:
    with Client(args.control) as client:
        if args.version is None:
            result = client.call("status")["interfaces"]
            shown = [each for each in result if args.name in (None, qualified(each, "name"))]
            versions = [
                {key: each[key] for key in ("namespace",) if key in each}
                | {"interface": each["name"], "protocol": name}
                | change_texts.versions(each[name])
                for each in shown
                for name in ("igmp", "mld")
                if args.protocol in (None, name)
            ]
            show(args, versions, change_texts.version_table(cleaned(versions)))
            return DONE
        result = client.call(
            "version", name=args.name, protocol=args.protocol, version=args.version,
            dry_run=args.dry_run, announce=args.announce, persist=args.persist,
        )  # fmt: skip
    show(args, result, change_texts.version_change(cleaned(result), args.dry_run))
    return DONE
