"""Whether the agent is alive and ready, as a supervisor is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mcastd.gmp.time import seconds
from mcastd.service.clock import now
from mcastd.service.health import PAGES, healthy, landing, ready


def agent(*, late: int = 0, attached: bool = True, was_read: bool = True) -> Any:
    interface = SimpleNamespace(name="eth0\x1b", attachment=object() if attached else None)
    return SimpleNamespace(
        look=SimpleNamespace(turned_at=now() - late),
        by_index={2: interface},
        reader=SimpleNamespace(was_read=was_read, problem=None),
    )


def test_an_agent_is_healthy_while_its_loop_turns() -> None:
    assert healthy(agent()).status == 200
    late = healthy(agent(late=seconds(9)))
    assert (late.status, "has not turned for 9" in late.text) == (503, True)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"attached": False}, "not attached: eth0\\x1b"),
        ({"was_read": False}, "memberships are not read yet"),
        ({"late": seconds(9)}, "the loop has not turned"),
    ],
)
def test_it_is_ready_when_all_is_attached_and_read(state: dict[str, Any], said: str) -> None:
    assert ready(agent()).status == 200
    page = ready(agent(**state))
    assert page.status == 503
    assert said in page.text


def test_the_landing_page_leads_to_all_others() -> None:
    text = landing(agent()).text
    assert all(f'href="{path.decode()}"' in text for path in PAGES if path != b"/")
    assert 'href="/metrics"' in text
