"""Checks the groups of an interface, and why one group does not arrive."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.time import Instant, in_seconds, seconds
from mcastd.net.names import word
from mcastd.service import views
from mcastd.service.agent import Agent
from mcastd.service.answer_documents import Group
from mcastd.service.clock import now
from mcastd.service.doctor.finding import Evidence, Finding, note
from mcastd.service.interface import Interface
from mcastd.service.namespaces.inside import command, qualified
from mcastd.service.observer import Observer

SETTLED = seconds(5)
"""After which a group that was joined has been reported, if anything lets it."""


def of_family(agent: Agent, interface: Interface, observer: Observer) -> Iterator[Finding]:
    problem = agent.fast_path.sockets_problem or agent.reader.problem
    yield from of_kernels_groups(observer, are_seen=problem is None)
    yield from of_own_groups(observer)
    yield from of_unreported(agent, interface, observer)


def of_kernels_groups(observer: Observer, *, are_seen: bool = True) -> Iterator[Finding]:
    """What sockets do that harms others, or that cannot be seen.

    `are_seen`: whether sockets are looked at at all; why not is told once for the whole host.
    """
    family, unseen = observer.family, 0
    for group, joined in observer.received.kernel.items():
        if not family.is_reportable(group):
            continue
        unseen += not joined.is_exact and not is_kernels_own(family, group)
        strays = [each for each in joined.holders if each.filter.mode is FilterMode.EXCLUDE]
        if strays and observer.config.is_source_specific(group):
            who = ", ".join(sorted({f"{each.name} (pid {each.pid})" for each in strays}))
            yield any_source(family.format(group), who)
    if unseen and are_seen:
        yield note(
            "sockets_not_seen",
            f"mcastd does not know which processes have joined {unseen} groups, or with which "
            "sources",
            "nothing, if the kernel itself uses the sockets or a process is just passing them on; "
            "an agent in a container needs the host's pid namespace (--pid=host)",
            why="mcastd assumes that such a socket wants all sources",
            evidence=(Evidence("users without a process", "mcastctl groups"),),
        )


def of_own_groups(observer: Observer) -> Iterator[Finding]:
    """Likewise, of those that the agent is asked for."""
    for group in observer.host.groups:
        if observer.is_untold(group):
            who = ", ".join(
                name for name in observer.received.applications(group) if name != "kernel"
            )
            if who:
                yield any_source(observer.family.format(group), who)


def any_source(group: str, who: str) -> Finding:
    return Finding(
        "any_source_in_ssm",
        f"{group} is source-specific, and joined from any source by {who}",
        "name the sources there",
        why="routers ignore such a join, or send no source (RFC 4604); the agent does not "
        "report it",
        evidence=(Evidence("who has joined it, and how", "mcastctl groups --json"),),
        group=group,
    )


def is_kernels_own(family: ProtocolFamily, group: Address) -> bool:
    """A group that the kernel joins by itself: of solicited nodes, and the like of link scope."""
    return family.link_local_groups.matches(group)


def of_unreported(agent: Agent, interface: Interface, observer: Observer) -> Iterator[Finding]:
    """Groups that were joined before the agent's eyes, and of which nothing has left the host."""
    if interface.attachment is None or not (interface.link and interface.link.is_running):
        return
    if observer.host.version < observer.family.newest:
        return  # older reports of others make ours unnecessary
    groups = [each for each in observer.received.groups if is_unreported(agent, observer, each)]
    lacking = [observer.family.format(each) for each in groups]
    if lacking:
        yield reports_do_not_leave(lacking, word(qualified(interface.name)))


def is_unreported(agent: Agent, observer: Observer, group: Address) -> bool:
    """Whether it should have been reported by now, and was not."""
    since = observer.times.since(group)
    if since is None or now() - since < SETTLED or observer.reported(group) is not None:
        return False
    if since - agent.started < SETTLED and not observer.responses.is_failing:
        return False  # its report may have left before the agent looked
    return is_told(observer, group) and not observer.is_untold(group)


def is_told(observer: Observer, group: Address) -> bool:
    """Whether routers and switches need to know of the group: not of those of link scope."""
    family = observer.family
    return family.is_reportable(group) and not family.link_local_groups.matches(group)


def reports_do_not_leave(lacking: list[str], name: str) -> Finding:
    listed = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if lacking[3:] else "")
    return Finding(
        "reports_do_not_leave",
        f"{listed} {'was' if len(lacking) == 1 else 'were'} joined, and no report of it has left "
        "this host",
        "look for a firewall that drops it going out: "
        f"{command('nft list ruleset')}, {command('iptables -L OUTPUT -v -n')}",
        why="routers and switches do not know that this host wants the group",
        evidence=(
            Evidence("last reported: never", f"mcastctl groups {name}"),
            Evidence("what leaves", f"mcastctl counters {name}"),
        ),
        group=lacking[0] if len(lacking) == 1 else None,
    )


# Why one group does not arrive.


def of_group(agent: Agent, name: str | None, group: str) -> Iterator[Finding]:
    """As far as this host can tell. ValueError for what is no address."""
    held = list(views.groups(agent, name, group))
    if not held:
        yield not_joined(agent, name, group)
        return
    for each in held:
        interface = agent.interfaces[each["interface"]]
        found = of_held(interface.observers[each["protocol"]], interface, each["group"])
        if found is not None:
            yield found.about(each["interface"], each["protocol"])


def not_joined(agent: Agent, name: str | None, group: str) -> Finding:
    """On the interface that was asked for; perhaps on another one."""
    protocol = "mld" if ":" in group else "igmp"
    elsewhere = list(views.groups(agent, None, group)) if name is not None else []
    if not elsewhere:
        where = name or "any interface"
        return Finding(
            "not_joined",
            f"{group} is not joined on {where}: no application asks for it",
            "start the program that is to receive it, or: "
            f"mcastctl join {word(qualified(name)) if name else 'IFACE'} {group}",
            evidence=(Evidence("not among the groups", "mcastctl groups"),),
            interface=name,
            protocol=protocol,
            group=group,
        )
    by = ", ".join(f"{each['interface']} by {askers(each)}" for each in elsewhere)
    assert name is not None
    width = 128 if protocol == "mld" else 32
    by_route = command(f"ip route add {group}/{width} dev {word(name)}")
    return Finding(
        "joined_elsewhere",
        f"{group} is joined on {by}, and not on {name}",
        f"have the program name {name} as it joins (its address in IP_ADD_MEMBERSHIP, or the index "
        f"in MCAST_JOIN_GROUP); if it names none, the route decides: {by_route}, and start it "
        "again",
        why="a join holds for one interface; what comes by another is not received",
        evidence=(
            Evidence("where it is joined", "mcastctl groups"),
            Evidence("which interface a join without one takes", command(f"ip route get {group}")),
        ),
        interface=name,
        protocol=protocol,
        group=group,
    )


def askers(each: Group) -> str:
    """Who has joined a group."""
    found = []
    for application in each["applications"]:
        processes = application.get("processes", ())
        found += [f"{of['name']} (pid {of['pid']})" for of in processes] or [application["name"]]
    return ", ".join(dict.fromkeys(found))


def of_held(observer: Observer, interface: Interface, group: str) -> Finding | None:
    """A group that is joined: whether its reports leave."""
    address = observer.family.parse(group)
    if not observer.family.is_reportable(address):
        text = f"{group} is never reported: all hosts have it"
        return note("never_reported", text, "nothing is to be done", group=group)
    if observer.is_untold(address):
        return None  # told of as what it is
    reported = observer.reported(address)
    if reported is not None:
        return of_reported(observer, interface, group, reported)
    since = observer.times.since(address)
    if since is not None and now() - since < SETTLED:
        return None
    return not_reported(
        interface,
        group,
        f"{group} has not been reported yet",
        "wait for the next query, or join it anew",
        "routers and switches do not know yet that this host wants the group",
    )


def of_reported(
    observer: Observer, interface: Interface, group: str, reported: Instant
) -> Finding | None:
    """A group that was reported: whether it was, too, when it was asked for the last time."""
    current = observer.queriers.current
    asked = current.last_general if current else None
    if current is None or not asked or asked <= reported:
        return None
    interval = current.observed_interval or current.interval
    waited = max(now() - asked, now() - reported - interval)
    if waited <= 2 * current.max_response:
        return None
    return not_reported(
        interface,
        group,
        f"{group} was not reported since the last query, {in_seconds(now() - asked):.0f} s ago",
        "see whether this host's reports leave: mcastctl watch --type report --interface "
        f"{word(interface.name)}; a firewall going out is the usual reason: "
        f"{command('nft list ruleset')}",
        "routers and switches forget what is not reported",
    )


def not_reported(interface: Interface, group: str, text: str, remedy: str, why: str) -> Finding:
    shows = f"mcastctl groups {word(interface.name)} {group}"
    evidence = (Evidence("last reported", shows),)
    return Finding("not_reported", text, remedy, why=why, evidence=evidence, group=group)
