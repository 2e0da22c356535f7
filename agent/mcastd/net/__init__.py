"""The kernel's links, addresses and memberships; only this package knows pyroute2.

Its names are imported as they are asked for: what is there at the start is looked for before it is
followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcastd.lazy import lazily

if TYPE_CHECKING:
    from mcastd.net.links import LinkWatcher, Snapshot, carrier_losses
    from mcastd.net.membership import SocketMembership
    from mcastd.net.presence import Present, present
    from mcastd.net.proc import Receives, Users, receives, users
    from mcastd.net.rtnetlink import AddressChanged, Change, Link, LinkChanged, LinkGone

__all__ = [
    "AddressChanged",
    "Change",
    "Link",
    "LinkChanged",
    "LinkGone",
    "LinkWatcher",
    "Present",
    "Receives",
    "Snapshot",
    "SocketMembership",
    "Users",
    "carrier_losses",
    "present",
    "receives",
    "users",
]

MODULES = {
    "links": ("LinkWatcher", "Snapshot", "carrier_losses"),
    "membership": ("SocketMembership",),
    "presence": ("Present", "present"),
    "proc": ("Receives", "Users", "receives", "users"),
    "rtnetlink": ("AddressChanged", "Change", "Link", "LinkChanged", "LinkGone"),
}

__getattr__ = lazily(__name__, MODULES)
