"""The conformance suite's scenarios, and scenarios that a test puts together itself."""

from __future__ import annotations

from pathlib import Path

from mcastd.simulate import Line, Scenario, check, load, run

DIRECTORY = Path(__file__).parent.parent / "conformance"


def suite() -> list[Scenario]:
    """Every document of every file, in order."""
    paths = sorted(DIRECTORY.glob("*.yaml"))
    return [each for path in paths for each in load(path.read_text(), path.name)]


def scenario(text: str) -> Scenario:
    """The only document of `text`."""
    (only,) = load(text, "scenario.yaml")
    return only


def lines(text: str) -> list[Line]:
    """What the scenario prints."""
    return list(run(scenario(text)))


def differences(text: str) -> list[str]:
    """What in the scenario is not as it expects."""
    asked = scenario(text)
    return [str(each) for each in check(asked, list(run(asked)))]
