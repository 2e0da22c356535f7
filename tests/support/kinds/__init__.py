"""Kinds of interface as they are deployed, each on a querying bridge of its own."""

from support.kinds.catalogue import KINDS, REFUSED, UNFIT, Kind, NotHere
from support.kinds.network import Built, Network, Place

__all__ = ["KINDS", "REFUSED", "UNFIT", "Built", "Kind", "Network", "NotHere", "Place"]
