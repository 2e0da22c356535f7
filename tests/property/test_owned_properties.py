"""The agent's own memberships against a dictionary: whatever happens to them, the file says it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given
from mcastd.service.memberships import STATE_FILE, OwnedMemberships
from mcastd.service.owned import CONFIG, Owned
from mcastd.service.state_file import MOST_CHANGES

memberships = st.builds(
    lambda group, name, held: Owned(
        "eth0", f"239.1.1.{group}", "exclude", (), f"api:{name}", held=held
    ),
    st.integers(1, 4),
    st.sampled_from("ab"),
    st.booleans(),
)
changes = st.lists(
    st.tuples(st.sampled_from(["put", "drop"]), memberships)
    | st.tuples(st.just("configure"), st.lists(st.integers(1, 3), max_size=2, unique=True))
    | st.just(("restart", None)),
    max_size=200,
)


@given(changes)
def test_a_restart_finds_what_was_there(history: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        owned = OwnedMemberships(Path(directory))
        expected: dict[tuple[str, str, str], Owned] = {}
        configured: set[Owned] = set()
        for what, subject in history:
            match what, subject:
                case "put", Owned():
                    owned.put(subject)
                    expected[subject.key] = subject
                case "drop", Owned():
                    owned.drop(subject)
                    expected.pop(subject.key, None)
                case "configure", [*groups]:
                    configured = {
                        Owned("eth0", f"239.2.2.{each}", "exclude", (), CONFIG) for each in groups
                    }
                    owned.configure(configured)
                case _:
                    owned.close()
                    owned = OwnedMemberships(Path(directory))
                    expected = {k: each for k, each in expected.items() if not each.held}
                    assert set(owned) == set(expected.values())
                    assert set(owned.kept) == set(expected.values()) | configured
                    owned.configure(configured)
        assert set(owned) == set(expected.values())
        assert owned.problem is None
        path = Path(directory) / STATE_FILE
        if path.exists():
            most = 1 + MOST_CHANGES + len(configured) + 8
            assert len(path.read_text().splitlines()) <= most
        owned.close()
