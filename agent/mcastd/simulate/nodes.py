"""YAML with the place of everything in it: a value that is wrong can be pointed at.

Scalars are read as they are written. YAML's own guesses (`1:2:3` is a number of base 60, `off` is
false, `010` is eight) never reach an address, a name or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

import yaml

_NUMBER = re.compile(r"-?(0|[1-9]\d*)?(\.\d{1,9})?(?<=\d)\Z")
_DEEPEST = 50
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ScenarioError(Exception):
    """The file is no scenario: where, and what is wrong; `line` 0 means the whole of it."""

    def __init__(self, file: str, line: int, key: str, problem: str) -> None:
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
        place = f"{file}:{line}" if line else file
        super().__init__(": ".join(filter(None, (place, key, problem))))


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML node, the file it is in, and the keys that lead to it (`steps[1].listen`).

    Items of lists are counted from 1, as lines are.
    """

    tree: yaml.Node
    file: str
    key: str = ""

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self.tree.start_mark.line) + 1

    def refuse(self, problem: str) -> NoReturn:
        raise ScenarioError(self.file, self.line, self.key, problem)

    def says_nothing(self) -> bool:
        """Whether the value is left out, `null` or `~`."""
        return isinstance(self.tree, yaml.ScalarNode) and self.tree.tag.endswith(":null")

    def is_mapping(self) -> bool:
        return isinstance(self.tree, yaml.MappingNode)

    def is_list(self) -> bool:
        return isinstance(self.tree, yaml.SequenceNode)

    def _child(self, node: yaml.Node, key: str) -> Node:
        if self.key.count(".") + self.key.count("[") > _DEEPEST:
            self.refuse("is nested too deeply")
        return Node(node, self.file, key)

    def items(self) -> list[Node]:
        if not isinstance(self.tree, yaml.SequenceNode):
            self.refuse(f"a list is wanted, [...], not {self._described()}")
        items = enumerate(self.tree.value, start=1)
        return [self._child(node, f"{self.key}[{number}]") for number, node in items]

    def entries(self) -> dict[str, Node]:
        """A mapping's values by key; each key stands once."""
        if not isinstance(self.tree, yaml.MappingNode):
            self.refuse(f"a mapping is wanted, {{key: value}}, not {self._described()}")
        found: dict[str, Node] = {}
        for key_node, value_node in self.tree.value:
            name = self._child(key_node, self.key).text()
            if name in found:
                self._child(key_node, self.key).refuse(f"{name!r} stands here twice")
            found[name] = self._child(value_node, f"{self.key}.{name}".lstrip("."))
        return found

    def fields(self, allowed: Iterable[str], required: Iterable[str] = ()) -> dict[str, Node]:
        """A mapping that may have only the `allowed` keys and must have the `required` ones."""
        found = self.entries()
        known = [*allowed, *required]
        for name in found:
            if name not in known:
                self._refuse_name("key", name, known)
        for name in required:
            if name not in found:
                self.refuse(f"{name!r} is missing")
        return found

    def one_of(self, choices: Iterable[str]) -> str:
        """A word out of `choices`."""
        known = list(choices)
        word = self.text()
        if word not in known:
            self._refuse_name("value", word, known)
        return word

    def _refuse_name(self, what: str, name: str, known: list[str]) -> NoReturn:
        close = get_close_matches(name, known, n=1)
        if close:
            self.refuse(f"the {what} {name!r} is not known; did you mean {close[0]!r}?")
        self.refuse(f"the {what} {name!r} is not known; known are {', '.join(sorted(known))}")

    def text(self) -> str:
        """A scalar as it is written, whatever YAML would make of it."""
        if not isinstance(self.tree, yaml.ScalarNode):
            self.refuse(f"a single value is wanted, not {self._described()}")
        return str(self.tree.value)

    def is_number(self) -> bool:
        return self._is_plain() and bool(_NUMBER.match(self.text()))

    def is_boolean(self) -> bool:
        return self._is_plain() and self.text() in ("true", "false")

    def _is_plain(self) -> bool:
        """Whether it is a scalar without quotes."""
        return isinstance(self.tree, yaml.ScalarNode) and not self.tree.style

    def number(self, least: float = 0, most: float = float("inf")) -> float:
        """A number in plain decimal digits."""
        written = self.text()
        if not self.is_number():
            self.refuse(f"a number is wanted, in plain digits such as 10 or 1.5, not {written!r}")
        value = float(written)
        if not least <= value <= most:
            wanted = f"at least {least:g}" if most == float("inf") else f"{least:g} to {most:g}"
            self.refuse(f"{written} is out of range: {wanted}")
        return value

    def integer(self, least: int = 0, most: float = float("inf")) -> int:
        value = self.number(least, most)
        if not value.is_integer():
            self.refuse(f"a whole number is wanted, not {self.text()}")
        return int(value)

    def boolean(self) -> bool:
        written = self.text()
        if not self.is_boolean():
            self.refuse(f"true or false is wanted, not {written!r}")
        return written == "true"

    def _described(self) -> str:
        if self.is_mapping():
            return "a mapping"
        if self.is_list():
            return "a list"
        return "nothing" if self.says_nothing() else repr(self.text())


def hexadecimal(node: Node) -> bytes:
    """Bytes as pairs of digits; white space is ignored."""
    try:
        return bytes.fromhex("".join(node.text().split()))
    except ValueError:
        node.refuse("pairs of hexadecimal digits are wanted, as in '46c0 0020'")


def documents(text: str, file: str) -> Iterator[Node]:
    """The documents of a file; those that are empty or only comments are skipped."""
    try:
        for root in yaml.compose_all(text, Loader=_LOADER):
            node = Node(root, file) if root is not None else None
            if node and not node.says_nothing():
                yield node
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, file) from None
    except yaml.reader.ReaderError as error:
        raise ScenarioError(file, 1, "", f"is not text: {error.reason}") from None
    except RecursionError:
        raise ScenarioError(file, 1, "", "is nested too deeply") from None


def _not_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> ScenarioError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = f"is not YAML: {error.problem or error.context}"
    around = text.splitlines()[max(0, line - 2) : line]
    if any("::" in each for each in around):
        problem += '; an address that begins or ends with a colon must be quoted, as in "::"'
    return ScenarioError(file, line, "", problem)
