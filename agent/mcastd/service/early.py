"""Attaching before all else: what the NIC brings is counted, and waits, until the agent is there.

The agent's own imports, its netlink socket and its control socket take longer than all of this.
What is attached here the agent takes over; what cannot be is left to it, and to it to report.
"""

from __future__ import annotations

from mcastd.fastpath import FastPath, FastPathError
from mcastd.net import present, users
from mcastd.service.config import Settings
from mcastd.service.policy import policy_of


def attach_early(fast_path: FastPath, settings: Settings) -> None:
    """Attaches all interfaces that the settings name and that are there, to be observed.

    FastPathError if the kernel refuses the programs themselves.
    """
    addresses = {}
    for each in present():
        wanted = settings.of(each.name)
        if wanted is None or each.unfit:
            continue
        policy = policy_of(wanted.configs, wanted.guard, reports=False, hardware=each.hardware)
        try:
            fast_path.attach_early(
                each.name, each.ifindex, policy, wanted.hook, streams=wanted.streams
            )
            addresses[each.ifindex] = each.addresses
        except FastPathError:
            continue  # too many, or not the hook that was asked for: the agent says so of each
        except OSError:
            fast_path.wait()  # if it was not the interface but a program, this says so
    received = users() if addresses else {}
    for index, unicast in addresses.items():
        for address in (*unicast, *received.get(index, ())):
            fast_path.assign(index, address)
