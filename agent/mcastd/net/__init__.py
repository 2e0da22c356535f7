"""The kernel's links, addresses and memberships; only this package knows pyroute2."""

from mcastd.net.links import AddressChanged, Link, LinkChanged, LinkGone, LinkWatcher
from mcastd.net.memberships import memberships
from mcastd.net.present import present

__all__ = [
    "AddressChanged",
    "Link",
    "LinkChanged",
    "LinkGone",
    "LinkWatcher",
    "memberships",
    "present",
]
