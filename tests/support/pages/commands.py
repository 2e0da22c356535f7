"""The reference of all commands: from the programs' own parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mcastd.cli import mcastctl, mcastd
from mcastd.client import socket_path

from support.pages.tables import code, table

HEAD = """# Every command

Made of the programs' parsers. What a command is for, at length, is in the manual pages:
mcastctl(1), mcastd(8). Exit status of both: 0 done; 1 the answer is no; 2 wrong usage or bad
input; 3 the daemon or a needed privilege is not there.
"""

USUAL_SOCKET = "/run/mcastd/control.sock"


def page() -> str:
    lines = [HEAD]
    for parser in (mcastctl.parser(), mcastd.parser()):
        lines += [f"## {parser.prog}", "", parser.description or "", ""]
        lines += [*arguments(parser), ""]
        for name, command in commands(parser):
            lines += [f"### {parser.prog} {name}", "", command.description or "", ""]
            lines += [f"    {usage(command)}", "", *arguments(command), ""]
    return "\n".join(lines).rstrip().replace(socket_path(), USUAL_SOCKET) + "\n"


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options and words that a reader can give: not --help, nor the commands themselves."""
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    return [each for each in parser._actions if not isinstance(each, left_out)]


def usage(parser: argparse.ArgumentParser) -> str:
    """On one line, options first, as the parser's own but without its line breaks."""
    options = [each for each in shown(parser) if each.option_strings]
    words = [each for each in shown(parser) if not each.option_strings]
    parts = [written(each) for each in options] + [word(each) for each in words]
    return " ".join([parser.prog, *parts])


def written(option: argparse.Action) -> str:
    text = " ".join([option.option_strings[-1], *value(option)])
    return text if option.required else f"[{text}]"


def word(argument: argparse.Action) -> str:
    [name] = value(argument) or [argument.dest]
    many = "..." if argument.nargs in ("*", "+") else ""
    return f"[{name}{many}]" if argument.nargs in ("?", "*") else f"{name}{many}"


def value(action: argparse.Action) -> list[str]:
    """What stands for an argument's value: nothing where it has none."""
    if action.nargs == 0:
        return []
    if isinstance(action.metavar, str):
        return [action.metavar]
    if action.choices:
        return ["{" + ",".join(map(str, action.choices)) + "}"]
    return [action.dest.upper()]


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    rows = []
    for action in shown(parser):
        names = ", ".join(action.option_strings)
        text = " ".join([names, *value(action)]).strip()
        rows.append([code(text), explained(parser, action)])
    if rows:
        yield from table(("argument", "what it does"), rows)


def explained(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if not action.help:
        return ""
    names = {**vars(action), "prog": parser.prog}
    text = action.help % {name: str(each) for name, each in names.items()}
    return text[0].upper() + text[1:]
