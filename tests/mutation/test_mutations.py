"""The mutations, which take minutes to run, still fit the code; `run.py` runs them."""

from __future__ import annotations

import pytest
from mutation.mutations import MUTATIONS, Mutation
from mutation.run import mutated


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_applies_and_leaves_python(mutation: Mutation) -> None:
    compile(mutated(mutation), mutation.file, "exec")


def test_no_two_mutations_have_the_same_name() -> None:
    assert len({each.name for each in MUTATIONS}) == len(MUTATIONS)
