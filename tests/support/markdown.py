"""What a page in Markdown has: links, headings, and blocks of what a reader is to type or write."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.*?)\s*$", re.M)
FENCE = re.compile(r"^```.*?^```\s*$", re.M | re.S)
INDENTED = re.compile(r"(?:^(?: {4}.*)?\n)+", re.M)


def without_code(text: str) -> str:
    """Blocks between fences, and what is between backticks, are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def links(text: str) -> Iterator[str]:
    """Targets within the repository, as they are written."""
    for target in LINK.findall(without_code(text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def headings(text: str) -> list[str]:
    return HEADING.findall(FENCE.sub("", text))


def anchors_of_github(text: str) -> set[str]:
    """Letters, digits, hyphens and underscores stay, a space is a hyphen."""
    plain = (re.sub(r"[`*]", "", each).lower() for each in headings(text))
    return {re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", each)) for each in plain}


def anchors_of_the_site(text: str) -> set[str]:
    """As Python-Markdown's table of contents makes them, which mkdocs takes."""
    plain = (re.sub(r"[`*]", "", each) for each in headings(text))
    kept = (re.sub(r"[^\w\s-]", "", each).strip().lower() for each in plain)
    return {re.sub(r"[-\s]+", "-", each) for each in kept}


def indented_blocks(text: str) -> Iterator[str]:
    """Blocks of four spaces more than the text around them."""
    for found in INDENTED.findall(FENCE.sub("", text)):
        if found.strip():
            yield textwrap.dedent(found).strip("\n") + "\n"
