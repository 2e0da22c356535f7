"""Scenarios: what a host would send if ..., and whether that is what is expected.

A scenario file says what happens to a host; a run tells what the real engine and the real codecs do
about it, without a network and without privileges.
"""

from mcastd.simulate.checking import Difference, check
from mcastd.simulate.lines import Line
from mcastd.simulate.loading import load
from mcastd.simulate.nodes import ScenarioError
from mcastd.simulate.runner import run
from mcastd.simulate.scenario import Scenario

__all__ = ["Difference", "Line", "Scenario", "ScenarioError", "check", "load", "run"]
