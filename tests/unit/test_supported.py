"""The page of what was tried is what the tests recorded, and the README says no more than it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import supported, verifier_rows
from support.supported import (
    KEPT,
    PAGE,
    REPOSITORY,
    Table,
    kept,
    merged,
    record,
    recorded,
    rendered,
)

README = (REPOSITORY / "README.md").read_text()
NEEDS = README.partition("## What it needs\n")[2].partition("\n## ")[0]

DEBIAN = {"6.1": "Debian 12", "6.12": "Debian 13"}


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def row(name: str, tried: str = "all") -> dict[str, str]:
    return {"kind": name, "kernel": "6.1", "in": "tcx", "out": "tcx", "modes": "-", "tried": tried}


def test_the_page_is_written_from_what_was_recorded() -> None:
    assert PAGE.read_text() == rendered(kept()), f"make supported writes it from {KEPT.name}"


def test_a_row_takes_the_place_of_the_one_of_its_key() -> None:
    older: Table = {"kinds": [row("vlan 10"), row("bond")]}
    found = merged([older, {"kinds": [row("bond", "more"), row("vlan 9")]}])
    assert found == {"kinds": [row("bond", "more"), row("vlan 9"), row("vlan 10")]}


def test_a_row_has_the_columns_of_its_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kinds: the columns are kind, kernel, in, out"):
        record("kinds", {"kind": "bond"}, tmp_path)
    record("kinds", row("bond"), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["kinds-bond-6.1.json"]
    assert recorded("kinds", tmp_path) == [row("bond")]
    assert recorded("drivers", tmp_path) == []


def test_the_verifiers_work_may_not_grow_by_more_than_a_tenth_unsaid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept_rows = verifier_rows.rows_of("6.1", {"verifier mcast_xdp": "1000 1.5", "in": "xdp"})
    assert kept_rows == [
        {"program": "mcast_xdp", "kernel": "6.1", "instructions": "1000", "ms": "1.5"}
    ]
    monkeypatch.setattr(supported, "kept", lambda: {"verifier": kept_rows})
    verifier_rows.check(verifier_rows.rows_of("6.1", {"verifier mcast_xdp": "1100 9.9"}))
    verifier_rows.check(verifier_rows.rows_of("6.12", {"verifier mcast_xdp": "5000 1.5"}))
    with pytest.raises(AssertionError, match=r"mcast_xdp on 6\.1: 1101 instructions"):
        verifier_rows.check(verifier_rows.rows_of("6.1", {"verifier mcast_xdp": "1101 1.5"}))


def test_the_readme_needs_a_kernel_between_those_refused_and_those_served() -> None:
    (oldest,) = re.findall(r"Linux (\d+\.\d+) or newer", NEEDS)
    kernels = kept()["kernels"]
    refused = [each["kernel"] for each in kernels if each["modes"] == "refused"]
    served = [each["kernel"] for each in kernels if each["modes"] != "refused"]
    assert all(version(each) < version(oldest) for each in refused)
    assert all(version(each) >= version(oldest) for each in served)


def test_the_readme_says_from_when_there_are_links_on_the_egress_side() -> None:
    (links,) = re.findall(r"(\d+\.\d+) or newer for links", NEEDS)
    found = {version(each["kernel"]): each["out"] for each in kept()["kernels"]}
    assert {hook for kernel, hook in found.items() if kernel >= version(links)} == {"tcx"}
    assert "clsact" in {hook for kernel, hook in found.items() if kernel < version(links)}


DISTRIBUTION = r"\b(?:Debian|Ubuntu|Fedora|RHEL|SUSE|Arch|Alpine)(?: [\d.]*\d)?"


def test_the_distributions_that_the_readme_names_were_tried() -> None:
    """All that were, and no other."""
    tried = {each["kernel"] for each in kept()["kernels"] if each["modes"] != "refused"}
    expected = {name for kernel, name in DEBIAN.items() if kernel in tried}
    assert {*re.findall(DISTRIBUTION, NEEDS)} == expected
    assert "docs/supported.md" in NEEDS
