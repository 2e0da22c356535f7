"""Who is told how far a long measurement is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], object]

_listener: ContextVar[Listener] = ContextVar("listener", default=lambda line: None)


@contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Whoever tells of progress meanwhile, in this thread, tells it to this one."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def tell(line: str) -> None:
    _listener.get()(line)
