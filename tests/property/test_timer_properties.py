"""The heap of deadlines against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mcastd.gmp.time import Instant
from mcastd.gmp.timers import SLACK, Timers

keys = st.sampled_from("abcdef")
deadlines = st.integers(0, 20).map(Instant)
operations = st.one_of(
    st.tuples(st.just("start"), st.tuples(keys, deadlines)),
    st.tuples(st.just("start_all"), st.lists(st.tuples(deadlines, keys), max_size=9)),
    st.tuples(st.just("stop"), keys),
    st.tuples(st.just("pop"), deadlines),
)


@given(st.lists(operations, max_size=60))
def test_timers_behave_like_a_dictionary_of_deadlines(story: list[tuple[str, object]]) -> None:
    timers: Timers[str] = Timers()
    model: dict[str, Instant] = {}
    for operation, argument in story:
        match operation, argument:
            case "start", (str(key), int(deadline)):
                timers.start(key, Instant(deadline))
                model[key] = Instant(deadline)
            case "start_all", list(batch):
                timers.start_all(batch)
                model.update((key, deadline) for deadline, key in batch)
            case "stop", str(key):
                assert timers.stop(key) == (model.pop(key, None) is not None)
            case "pop", int(until):
                due = sorted((at, key) for key, at in model.items() if at <= until)
                assert timers.pop_due(Instant(until)) == (due[0][1] if due else None)
                if due:
                    del model[due[0][1]]
        assert timers.next_deadline() == min(model.values(), default=None)
        assert {key: timers.deadline(key) for key in model} == model
        assert len(timers) == len(model)
        assert len(timers._heap) <= 2 * len(model) + SLACK
