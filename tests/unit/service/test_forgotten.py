"""Drivers that run the program of XDP no longer once they have begun anew."""

from __future__ import annotations

import pytest
from mcastd.fastpath import attach
from support.played_agent import INDEX, Played, a_link
from support.stepped import play


def drives(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = attach.LinkFacts(driver, False)
    monkeypatch.setattr(attach.LinkFacts, "of", lambda _index: facts)


async def attached(played: Played, losses: int, *, running: bool = True) -> object:
    """The link has lost its carrier so often: what is attached then."""
    await played.link(a_link("eth0", carrier_losses=losses, is_running=running))
    found = played.fast_path.attached[INDEX]
    assert found.is_attached()
    return found


@pytest.mark.parametrize(("driver", "anew"), [("vmxnet3", True), ("virtio_net", False)])
def test_a_driver_that_forgets_is_given_the_program_again(
    driver: str, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drives(driver, monkeypatch)

    async def story() -> bool:
        played = Played({"eth0": {}})
        played.machine.losses[INDEX] = 3
        try:
            before = await attached(played, 3)
            return await attached(played, 4) is not before
        finally:
            played.close()

    assert play(monkeypatch, story) is anew


def test_what_attaching_itself_did_to_the_carrier_is_no_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would never end. The link tells of it afterwards."""
    drives("vmxnet3", monkeypatch)

    async def story() -> bool:
        played = Played({"eth0": {}})
        played.machine.losses[INDEX] = 1
        try:
            before = await attached(played, 0)
            found = [await attached(played, 1, running=running) for running in (False, True)]
            return all(each is before for each in found)
        finally:
            played.close()

    assert play(monkeypatch, story)
