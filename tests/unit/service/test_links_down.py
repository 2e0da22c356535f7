"""What a socket does while the link is down makes the kernel say nothing: it is looked up."""

from __future__ import annotations

import pytest
from mcastd.net.rtnetlink import LinkChanged
from support.played_agent import Played, a_link, packed
from support.stepped import play

LEFT, KEPT = packed("239.1.2.3"), packed("239.1.2.4")
UP, DOWN = a_link("eth0"), a_link("eth0", is_running=False)


def said(played: Played, group: bytes, since: int) -> bool:
    return any(group in content for _, content in played.machine.wire.sent[since:])


@pytest.mark.parametrize("together", [True, False], ids=["in one message", "in two"])
def test_a_group_left_just_before_the_link_goes_down_is_not_reported(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody told of the leave: neither the kernel's report nor a look comes between."""

    async def story() -> tuple[bool, bool, bool]:
        played = Played({"eth0": {"mode": "host", "igmp_max_version": 2}})
        try:
            await played.link(UP)
            await played.address("192.0.2.1")
            for group in (LEFT, KEPT):
                await played.joins(group)
            await played.settle(30.0)
            first = said(played, LEFT, 0) and said(played, KEPT, 0)
            since = len(played.machine.wire.sent)
            played.leaves_unseen(LEFT)
            for batch in [[DOWN, UP]] if together else [[DOWN], [UP]]:
                played.links.take([LinkChanged(each, False) for each in batch])
            await played.settle(60.0)
            return first, said(played, LEFT, since), said(played, KEPT, since)
        finally:
            played.close()

    first, left, kept = play(monkeypatch, story)
    assert first
    assert kept
    assert not left
