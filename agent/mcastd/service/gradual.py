"""Makes long answers step by step, so that the event loop turns between the steps."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Steps = Generator[None, None, T]
"""A step of a few milliseconds ends with each yield; what is returned is the answer."""


class Gradual(Generic[T_co]):
    """An answer that is still to be made. Unlike an iterator's, its pieces are not the answer's."""

    answer: T_co
    """There as soon as no step is left."""

    def __init__(self, steps: Steps[T_co]) -> None:
        self._steps = steps

    def step(self) -> bool:
        """Whether there is more to do; then `answer` is not there yet."""
        try:
            next(self._steps)
        except StopIteration as end:
            self.answer = end.value
            return False
        return True


def gradually(make: Callable[P, Steps[T]]) -> Callable[P, Gradual[T]]:
    """For a function that yields after each few milliseconds, and returns its answer."""

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Gradual[T]:
        return Gradual(make(*args, **kwargs))

    return made
