"""The kernel's links, addresses and memberships; only this package knows pyroute2.

Its names are imported as they are asked for: what is there at the start is looked for before it is
followed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcastd.net.links import AddressChanged, Link, LinkChanged, LinkGone, LinkWatcher
    from mcastd.net.presence import present
    from mcastd.net.proc import memberships

__all__ = [
    "AddressChanged",
    "Link",
    "LinkChanged",
    "LinkGone",
    "LinkWatcher",
    "memberships",
    "present",
]

MODULES = {"memberships": "proc", "present": "presence"}
"""Where the names are that are not in `links`."""


def __getattr__(name: str) -> Any:
    """A public name, from its module (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES.get(name, 'links')}"), name)
