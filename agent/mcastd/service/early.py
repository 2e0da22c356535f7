"""Attaches interfaces before all else, so that packets are counted from the first moment.

The agent's own imports, its netlink socket and its control socket take longer than all of this.
What is attached here the agent takes over; what cannot be is left to it, and to it to report.
"""

from __future__ import annotations

from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.fast_path import FastPath
from mcastd.net.presence import Present, present
from mcastd.net.proc import users
from mcastd.service.config import Settings
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.policy import policy_of


def attach_early(fast_path: FastPath, settings: Settings) -> None:
    """Attaches all interfaces that the settings name and that are there, to be observed.

    FastPathError if the kernel refuses the programs themselves.
    """
    attached = []
    for each in present():
        wanted = settings.of(each.name)
        if wanted is not None and not each.unfit and attach_one(fast_path, each, wanted):
            attached.append(each.ifindex)
    received = users() if attached else {}
    for index in attached:
        for group in received.get(index, ()):
            fast_path.assign(index, group)


def attach_one(fast_path: FastPath, each: Present, wanted: InterfaceSettings) -> bool:
    """Whether it could be. FastPathError if the kernel refuses the programs themselves."""
    policy = policy_of(wanted.configs, wanted.guard, reports=False, hardware=each.hardware)
    for address in each.addresses:  # first, so that no own message is ever taken for another's
        fast_path.assign(each.ifindex, address)
    try:
        fast_path.attach_early(each.name, each.ifindex, policy, wanted.hook, streams=wanted.streams)
        return True
    except FastPathError:
        pass  # too many, or not the hook that was asked for: the agent says so of each
    except OSError:
        fast_path.wait()  # if it was not the interface but a program, this says so
    for address in each.addresses:
        fast_path.unassign(each.ifindex, address)
    return False
