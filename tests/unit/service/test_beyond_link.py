"""Groups that are not link-local are counted apart: of the others there are always some."""

from __future__ import annotations

import pytest
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.filters import exclude, include
from mcastd.service.received import KERNEL, Received

LINKS = {
    "igmp": ("224.0.0.1", "224.0.0.251"),
    "mld": ("ff02::1", "ff02::1:ff00:10", "ff01::1", "ff12::5"),
}
BEYOND = {"igmp": ("224.0.1.1", "239.1.1.1", "232.1.1.1"), "mld": ("ff05::2", "ff15::1")}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_group_counts_once_while_anybody_asks_for_it(name: str) -> None:
    family = FAMILIES[name]
    received = Received(family, lambda _: False)
    anything, nothing = exclude(family.no_sources), include(family.no_sources)
    for group in map(family.parse, (*LINKS[name], *BEYOND[name])):
        for application in (KERNEL, "config"):
            received.put(application, group, anything)
    assert received.beyond_link == len(BEYOND[name])

    for group in map(family.parse, (*LINKS[name], *BEYOND[name])):
        received.put(KERNEL, group, nothing)
    assert received.beyond_link == len(BEYOND[name])

    for group in map(family.parse, (*LINKS[name], *BEYOND[name])):
        received.put("config", group, nothing)
    assert received.beyond_link == 0
