"""So many memberships may be asked for, and who asks for one more is told what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import IGMP
from mcastd.service.after_leave import AfterLeave
from mcastd.service.callers import Caller
from mcastd.service.changes import ChangeError, join, leave
from mcastd.service.config import Settings
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.mode import Mode
from mcastd.service.requests import Parameters

ROOT = Caller(0, 1, "player")


def asked(group: str) -> Parameters:
    return {"name": "eth0", "group": group}


def test_one_too_many_is_refused_until_another_is_left() -> None:
    observer = SimpleNamespace(config=HostConfig.from_mapping(IGMP, {}))
    interface = SimpleNamespace(mode=Mode.HOST, observers={"igmp": observer})
    owned = OwnedMemberships(None)
    agent: Any = SimpleNamespace(
        interfaces={"eth0": interface}, owned=owned, settings=Settings(memberships=2),
        memberships=SimpleNamespace(put=lambda *_: None), end=owned.drop,
        after_leave=AfterLeave(owned.drop),
    )  # fmt: skip
    for group in ("239.1.1.1", "239.1.1.2", "239.1.1.2"):
        join(agent, ROOT, asked(group))

    with pytest.raises(ChangeError, match=r"2 memberships .* raise control.memberships") as caught:
        join(agent, ROOT, asked("239.1.1.3"))

    assert caught.value.code == "too_many_memberships"
    leave(agent, ROOT, asked("239.1.1.1"))
    join(agent, ROOT, asked("239.1.1.3"))
