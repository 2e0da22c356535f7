"""Sections of RFCs are cited by numbers that there are; support/rfc_sections.yaml has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SECTIONS = ROOT / "tests" / "support" / "rfc_sections.yaml"
FOLDERS = ("agent", "extras", "bpf", "native", "tests", "docs", "deploy")
PAGES = ("README.md", "CHANGELOG.md", "Makefile")
SUFFIXES = {".py", ".pyi", ".c", ".h", ".md", ".yaml", ".yml", ".toml", ".sh", ".5", ".8", ".1", ""}

BETWEEN = r"(?:[,;]|\s+and)?[\s*#]+"
"""What stands between an RFC and its section, also where a line of a comment ends."""

SECTION = r"(?:§|Appendix\s|section\s)([0-9A-Z][0-9A-Za-z]*(?:\.[0-9]+)*)"
CITATION = re.compile(rf"(?:RFC[\s*#]+)?\b(\d{{3,4}})((?:{BETWEEN}{SECTION})+)")

Citation = tuple[int, str]


def texts() -> Iterator[tuple[Path, str]]:
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*")]
    for path in [*files, *(ROOT / page for page in PAGES)]:
        if path.suffix not in SUFFIXES or path == SECTIONS or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if any(sign in text for sign in ("§", "Appendix", "section")):
            yield path, text


def citations(text: str) -> Iterator[Citation]:
    for found in CITATION.finditer(text):
        for section in re.findall(SECTION, found[2]):
            yield int(found[1]), section


def known() -> set[Citation]:
    listed = yaml.safe_load(SECTIONS.read_text())
    return {(rfc, section) for rfc, sections in listed.items() for section in sections}


def test_citations_are_found_in_every_form() -> None:
    text = (
        "(RFC 9776 §5.2 rule 4; RFC 9777\n * §6.2) as in RFC 2236 §3, §9 and RFC 1112 Appendix I."
    )
    assert list(citations(text)) == [
        (9776, "5.2"), (9777, "6.2"), (2236, "3"), (2236, "9"), (1112, "I"),
    ]  # fmt: skip


def test_each_section_that_is_cited_is_known() -> None:
    """Who cites another looks it up in the RFC, and adds it with its title."""
    there = known()
    unknown = [
        f"{path.relative_to(ROOT)}: RFC {rfc} §{section}"
        for path, text in texts()
        if path != Path(__file__)
        for rfc, section in citations(text)
        if (rfc, section) not in there
    ]
    assert unknown == []


def test_each_section_that_is_known_is_cited() -> None:
    cited = {each for _, text in texts() for each in citations(text)}
    assert known() - cited == set()
