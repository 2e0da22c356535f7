"""A shortage that passes ends nothing that the agent does regularly."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest
from mcastd.service.ending import Ending
from mcastd.service.faults import Faults
from support.played_agent import Played, a_link
from support.stepped import play


def short_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but its first call finds no memory."""
    calls = []

    def called(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return function(*arguments)

    return called


@pytest.mark.parametrize("what", ["counters", "beat"])
def test_what_was_refused_once_is_done_the_next_time(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    faults = Faults()
    ending = Ending(faults)

    async def story() -> None:
        played = Played({"play0": {"mode": "host"}})
        asyncio.get_running_loop().set_exception_handler(ending.judge)
        try:
            await played.link(a_link("play0"))
            await played.address("192.0.2.10")
            await asyncio.sleep(3)
            of, name = {
                "counters": (played.fast_path, "counters"),
                "beat": (played.agent.host_mode._heartbeat, "_write"),
            }[what]
            monkeypatch.setattr(of, name, short_once(getattr(of, name)))
            await asyncio.sleep(1.5)
            looked, beats = played.agent.look.turned_at, len(played.fast_path.beats)
            await asyncio.sleep(10)
            assert played.agent.look.turned_at - looked >= 8e9
            assert len(played.fast_path.beats) >= beats + 16
            assert not ending.stopped.is_set()
        finally:
            played.close()

    play(monkeypatch, story)
    assert ending.failures == []
    (told,) = faults.as_object().values()
    assert told["count"] == 1
    assert "Cannot allocate memory" in str(told["text"])
