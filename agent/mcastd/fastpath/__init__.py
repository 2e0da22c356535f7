"""The fast path: the programs on the NIC, their counters, and the events that they hand over.

    fast_path = FastPath.open(say)
    attachment = fast_path.attach("eth0", ifindex, policy)
    fast_path.rings["query"].drain() -> [Captured]
    fast_path.counters() -> {"eth0": Counters}

Only this package knows bcc, and calls libbpf. (The C module `_libbpf` has some calls of libc, too,
which `net` and `service` use.) Its names are imported as they are asked for: at the start,
programs are to be on their way into the kernel before the rest is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcastd.lazy import lazily

if TYPE_CHECKING:
    from mcastd.fastpath.attach import Attachment, said
    from mcastd.fastpath.counters import CAUSES, DIRECTIONS, PROTOCOLS, RINGS, Counters
    from mcastd.fastpath.errors import FastPathError, explained
    from mcastd.fastpath.fast_path import FastPath, is_unicast
    from mcastd.fastpath.hooks import Hook, HookChoice
    from mcastd.fastpath.policies import (
        ANY_ADDRESS,
        Limit,
        Policies,
        Policy,
        Prefix,
        bits,
        own_bit,
    )
    from mcastd.fastpath.ring import Captured, Fate, Ring
    from mcastd.fastpath.sockets import SocketPart, Sockets

__all__ = [
    "ANY_ADDRESS",
    "CAUSES",
    "DIRECTIONS",
    "PROTOCOLS",
    "RINGS",
    "Attachment",
    "Captured",
    "Counters",
    "FastPath",
    "FastPathError",
    "Fate",
    "Hook",
    "HookChoice",
    "Limit",
    "Passer",
    "Policies",
    "Policy",
    "Prefix",
    "Ring",
    "SocketPart",
    "Sockets",
    "bits",
    "explained",
    "is_unicast",
    "own_bit",
    "said",
    "users_of",
]

MODULES = {
    "attach": ("Attachment", "said"),
    "counters": ("CAUSES", "Counters", "DIRECTIONS", "PROTOCOLS", "RINGS"),
    "errors": ("FastPathError", "explained"),
    "fast_path": ("FastPath", "is_unicast"),
    "hooks": ("Hook", "HookChoice"),
    "others": ("users_of",),
    "passers": ("Passer",),
    "policies": ("ANY_ADDRESS", "Limit", "Policies", "Policy", "Prefix", "bits", "own_bit"),
    "ring": ("Captured", "Fate", "Ring"),
    "sockets": ("SocketPart", "Sockets"),
}

__getattr__ = lazily(__name__, MODULES)
