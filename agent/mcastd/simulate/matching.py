"""Which expectation accounts for which message, when several could."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


def assign(choices: Sequence[Sequence[int]]) -> list[int | None]:
    """For each chooser one of its choices, none twice, for as many choosers as possible."""
    chosen: list[int | None] = [None] * len(choices)
    holder: dict[int, int] = {}
    for chooser in range(len(choices)):
        _augment(chooser, choices, chosen, holder)
    return chosen


def _augment(
    start: int,
    choices: Sequence[Sequence[int]],
    chosen: list[int | None],
    holder: dict[int, int],
) -> None:
    """Finds `start` a choice; who holds it may have to take another (an augmenting path)."""
    wanted_by: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        chooser = waiting.popleft()
        for choice in choices[chooser]:
            if choice in wanted_by:
                continue
            wanted_by[choice] = chooser
            if choice not in holder:
                _hand_over(choice, start, wanted_by, chosen, holder)
                return
            waiting.append(holder[choice])


def _hand_over(
    choice: int,
    start: int,
    wanted_by: dict[int, int],
    chosen: list[int | None],
    holder: dict[int, int],
) -> None:
    while True:
        chooser = wanted_by[choice]
        given_up = chosen[chooser]
        chosen[chooser], holder[choice] = choice, chooser
        if chooser == start or given_up is None:
            return
        choice = given_up
