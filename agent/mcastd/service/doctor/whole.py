"""Checks what concerns no single interface: the agent's state and settings, the host."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.net.names import word
from mcastd.service.agent import Agent
from mcastd.service.clock import wall_now
from mcastd.service.coexistence import PROC, igmp_sockets, read
from mcastd.service.doctor.finding import Evidence, Finding, note
from mcastd.service.faults import REMEDIES, Fault
from mcastd.service.namespaces.inside import command

RECENTLY = 3600.0
"""Seconds, in which a fault is still worth a finding."""


def of_agent(agent: Agent) -> Iterator[Finding]:
    yield from of_missing(agent)
    yield from of_state(agent)
    yield from of_sockets(agent)
    yield from of_raw_sockets()


def of_missing(agent: Agent) -> Iterator[Finding]:
    for name in agent.missing():
        yield Finding(
            "interface_missing",
            f"{name} is configured, and there is no such interface",
            f"list the interfaces: {command('ip link')}; correct the name, or remove "
            f"[interface.{name}] from mcastd.toml and reload; mcastd runs the interface as soon as "
            "it appears",
            why="mcastd can neither receive nor send there",
            evidence=(Evidence("no such device", command(f"ip link show dev {word(name)}")),),
            interface=name,
        )


def of_state(agent: Agent) -> Iterator[Finding]:
    """State that is not kept, and faults of others."""
    for problem in (agent.owned.problem, agent.known_queriers.problem):
        if problem:
            yield Finding(
                "state_not_kept",
                problem,
                f"{REMEDIES[Fault.STATE_FILE]} (STATE_DIRECTORY, or /var/lib/mcastd)",
                why="mcastd cannot restore memberships of mcastctl and programs after a restart",
                evidence=(Evidence("state, and its problem", "mcastctl status"),),
            )
    for fault, (at, text) in agent.faults.last.items():
        ago = max(0.0, wall_now() - at)
        if fault is not Fault.STATE_FILE and ago < RECENTLY:
            times, kind = agent.faults.counts[fault], fault.value.replace("_", " ")
            yield Finding(
                f"fault_{fault.value}",
                f"{times} faults ({kind}); the last, {ago:.0f} s ago: {text}",
                REMEDIES[fault],
            )


def of_sockets(agent: Agent) -> Iterator[Finding]:
    """Where the kernel does not let the agent look at sockets at all."""
    problem = agent.fast_path.sockets_problem or agent.reader.problem
    if problem is not None:
        yield note(
            "sockets_not_seen",
            f"who has joined groups, and from which sources, cannot be seen: {problem}",
            "if the kernel is locked down for confidentiality (cat /sys/kernel/security/lockdown), "
            "boot it with lockdown=integrity; /sys/kernel/btf/vmlinux must be there, also in a "
            "container; then: systemctl restart mcastd",
            why="the agent still knows the groups and sees all packets; it cannot see who joined "
            "them, their sources, or the limits, drops and shared ports of sockets",
            evidence=(
                Evidence(
                    "the kernel's part of each group: exact is false", "mcastctl groups --json"
                ),
            ),
        )


def of_raw_sockets() -> Iterator[Finding]:
    """Programs that may speak IGMP, or only listen: no fault by itself."""
    count = igmp_sockets(read(f"{PROC}/net/raw"))
    if count:
        are = "socket is" if count == 1 else "sockets are"
        yield note(
            "raw_igmp_socket",
            f"{count} raw IGMP {are} open: a multicast router, querier or proxy runs here, or a "
            "program that only listens",
            "nothing, unless it speaks on an interface that mcastd runs: mcastctl counters shows "
            "what leaves there",
            evidence=(Evidence("whose it is", command("ss --raw -a -n -p")),),
            protocol="igmp",
        )


def second_agent(name: str, count: int) -> Iterator[Finding]:
    """`count`: agents that run the interface."""
    if count > 1:
        yield Finding(
            "second_agent",
            f"{count} agents run {name}",
            "stop all but one: systemctl status mcastd; ps -C mcastd",
            why="all of them count, but only one can send reports; a join or a cap that one of "
            "them gets is unknown to the others",
            evidence=(
                Evidence(
                    f"{count} agents have said so", command("grep mcastd/agent/ /proc/net/unix")
                ),
            ),
            interface=name,
        )
