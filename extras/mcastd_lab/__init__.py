"""Networks to try the agent in: namespaces, a querying bridge, members, a generator of frames.

    with Lab() as lab:
        switch, host = lab.namespace("switch"), lab.namespace("host")
        bridge = Bridge(switch, "br0", "192.0.2.1/24")
        bridge.connect(host, "eth0", "192.0.2.10/24")
        agent = lab.agent(host, "-i", "eth0")

Everything is in namespaces of the lab's own, and goes with it. Needs root and iproute2.
"""

from mcastd_lab.agent import AgentError, RunningAgent
from mcastd_lab.errors import LabError
from mcastd_lab.generator import Generator
from mcastd_lab.lab import Lab
from mcastd_lab.leftovers import remove_leftovers
from mcastd_lab.links import Bridge, veth
from mcastd_lab.members import Member
from mcastd_lab.namespaces import Namespace
from mcastd_lab.wire import Wire

__all__ = [
    "AgentError",
    "Bridge",
    "Generator",
    "Lab",
    "LabError",
    "Member",
    "Namespace",
    "RunningAgent",
    "Wire",
    "remove_leftovers",
    "veth",
]
