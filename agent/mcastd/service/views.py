"""Answers questions of the control socket with JSON documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import mcastd
from mcastd.fastpath.counters import Counters
from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.time import Instant, in_seconds
from mcastd.service import coexistence
from mcastd.service.agent import Agent
from mcastd.service.answer_documents import (
    Asker,
    FamilyStatus,
    Group,
    InterfaceStatus,
    KernelKeepsTo,
    OlderQuerier,
    Querier,
    QuerierList,
    SetByHand,
    Status,
    UnlistedQuerier,
)
from mcastd.service.by_hand import Difference
from mcastd.service.clock import now, wall_clock
from mcastd.service.describe import filter_object, flood_object
from mcastd.service.documents import JsonObject
from mcastd.service.floods import History
from mcastd.service.gradual import Steps, gradually
from mcastd.service.interface import Interface
from mcastd.service.joined import Joined
from mcastd.service.kernel_version import Older
from mcastd.service.losses import lost_events
from mcastd.service.observer import Observer
from mcastd.service.processes import container_of
from mcastd.service.querier import QuerierView
from mcastd.service.received import KERNEL
from mcastd.service.refresh_views import refresh_status
from mcastd.service.restart import needs_restart
from mcastd.service.stream_views import interface_streams


@gradually
def status(agent: Agent) -> Steps[Status]:
    """Everything on one page, made interface by interface."""
    interfaces = []
    counted, host = agent.fast_path.counters(), coexistence.Host.now()
    for each in list(agent.interfaces.values()):
        interfaces.append(interface_status(agent, each, counted.get(each.name), host))
        yield
    return {
        "version": mcastd.__version__,
        "uptime": in_seconds(now() - agent.started),
        "interfaces": interfaces,
        "missing": agent.missing(),
        "needs_restart": needs_restart(agent.started_with, agent.settings),
        "faults": agent.faults.as_object(),
        "clients": {each.name: each.clients for each in agent.doors},
        "state": {"problem": agent.owned.problem or agent.known_queriers.problem},
    }


def interface_status(
    agent: Agent, interface: Interface, values: Counters | None, host: coexistence.Host
) -> InterfaceStatus:
    attachment = interface.attachment
    return {
        "name": interface.name,
        "index": interface.index,
        "alternative_names": list(interface.alternative_names),
        "mode": interface.mode,
        "hook": attachment.ingress.value if attachment else "none",
        "egress_hook": attachment.egress.value if attachment else "none",
        "hook_reasons": list(attachment.reasons) if attachment else [],
        "tags_taken_out": attachment.tags_taken_out if attachment else False,
        "running": bool(interface.link and interface.link.is_running),
        "problem": interface.problem,
        "remarks": coexistence.of_interface(interface, host),
        "by_hand": [set_by_hand(each) for each in agent.differences(interface)],
        "igmp": family_status(interface, interface.observers["igmp"]),
        "mld": family_status(interface, interface.observers["mld"]),
        "lost": lost_events(values) if values else {},
        "streams": interface_streams(agent, interface),
        "guard": interface.guard.as_mapping(),
        "floods": {
            ring: floods(each) for ring, each in agent.look.floods.of(interface.name).items()
        },
    }


def set_by_hand(each: Difference) -> SetByHand:
    return {
        "interface": each.interface,
        "key": each.key,
        "value": each.value,
        "files": each.files,
    }


def floods(history: History) -> JsonObject:
    """Of one ring: whether there is one now, how many there were, and the last of them."""
    last = history.last
    return {
        "active": history.is_active,
        "count": history.count,
        "last": None if last is None else {"since": wall_clock(last.since), **flood_object(last)},
    }


def spoken_by(observer: Observer) -> str:
    """Who speaks on the link for this host."""
    if observer.voice is None:
        return "kernel"
    return "agent" if observer.is_holding else "kernel and agent"


def allowed_version(name: str, observer: Observer) -> tuple[int, str]:
    """The newest version that may be spoken, and by whose word: the protocol's end, a sysctl's
    while the kernel speaks, or the agent's settings.
    """
    family, in_force = observer.family, observer.host.config.max_version
    if in_force < family.newest:
        return in_force, f"{family.name}_max_version"
    forced = coexistence.forced_version(family.name, name)
    return forced if forced is not None else (family.newest, "protocol")


def family_status(interface: Interface, observer: Observer) -> FamilyStatus:
    host, current = observer.host, observer.queriers.current
    allowed, by = allowed_version(interface.name, observer)
    older = interface.kernel_versions[observer.family.name].older(now())
    return {
        "version": min(host.version, allowed),
        "spoken_by": spoken_by(observer),
        "last_reported_version": observer.last_reported_version,
        "max_version": allowed,
        "allowed_by": by,
        "configured_max_version": observer.config.max_version,
        "querier": observer.family.format(current.address) if current else None,
        "querier_version": current.version if current else None,
        "older_queriers": older_queriers(observer),
        "unlisted_querier": unlisted_querier(observer),
        "groups": len(observer.received.groups),
        "sources": sum(observer.received.held(mode).sources for mode in FilterMode),
        "speaks_for_kernel": observer.is_holding,
        "kernel_keeps_to": None if older is None else kernel_keeps_to(older),
        "refresh": refresh_status(observer),
        "unanswered_queries": observer.responses.unanswered,
    }


def kernel_keeps_to(older: Older) -> KernelKeepsTo:
    return {
        "version": older.version,
        "until": wall_clock(older.until),
        "exact": older.is_exact,
    }


def unlisted_querier(observer: Observer) -> UnlistedQuerier | None:
    """The one that was told of last which is none of those named."""
    if observer.unlisted is None:
        return None
    at, address = observer.unlisted
    return {"address": observer.family.format(address), "told": wall_clock(at)}


def older_queriers(observer: Observer) -> list[OlderQuerier]:
    """Which older versions are spoken on the link, by whom, and how long that is believed."""
    at = now()
    heard = observer.queriers.last_by_version
    return [
        {
            "version": version,
            "address": observer.family.format(heard[version]) if version in heard else None,
            "forgotten_in": in_seconds(max(0, until - at)),
        }
        for version, until in sorted(observer.host.older_querier_deadlines.items())
    ]


def querier(agent: Agent, name: str | None = None) -> Iterator[QuerierList]:
    """The queriers of each interface and family, the current one first."""
    return (
        {
            "interface": interface.name,
            "protocol": protocol,
            "queriers": [querier_object(observer, each) for each in ordered(observer)],
            "older_queriers": older_queriers(observer),
            "max_version": observer.host.config.max_version,
            "version": observer.host.version,
        }
        for interface in list(chosen(agent, name))
        for protocol, observer in interface.observers.items()
    )


def ordered(observer: Observer) -> list[QuerierView]:
    views = observer.queriers.by_address.values()
    return sorted(views, key=lambda each: (each is not observer.queriers.current, -each.last_heard))


def querier_object(observer: Observer, view: QuerierView) -> Querier:
    newest = view.version == observer.family.newest
    observed = view.observed_interval
    return {
        "address": observer.family.format(view.address),
        "current": view is observer.queriers.current,
        "version": view.version,
        "robustness": view.robustness if newest else None,
        "interval": in_seconds(view.interval) if newest else None,
        "observed_interval": None if observed is None else in_seconds(observed),
        "max_response": in_seconds(view.max_response),
        "queries": view.queries,
        "without_router_alert": view.without_router_alert,
        "first_heard": wall_clock(view.first_heard),
        "last_heard": wall_clock(view.last_heard),
    }


def groups(agent: Agent, name: str | None = None, group: str | None = None) -> Iterator[Group]:
    """The groups that this host receives, one by one. ValueError for what is no address."""
    address = None if group is None else FAMILIES["mld" if ":" in group else "igmp"].parse(group)
    return chain.from_iterable(
        groups_of(agent, interface, protocol, address)
        for interface in list(chosen(agent, name))
        for protocol in interface.observers
    )


def groups_of(
    agent: Agent, interface: Interface, protocol: str, only: Address | None
) -> Iterator[Group]:
    """Made as they are asked for: what is left meanwhile is not told."""
    observer = interface.observers[protocol]
    for group in observer.received.ascending() if only is None else [only]:
        if group in observer.received.groups:
            yield group_object(agent, interface, observer, group)


def asker(
    agent: Agent, interface: Interface, observer: Observer, group: Address, application: str
) -> Asker:
    """Who stands behind an application: the processes with its sockets, or who asked the agent."""
    if application == KERNEL and group in observer.received.kernel:
        return joined_object(observer.family, observer.received.kernel[group])
    owned = agent.owned.get(interface.name, observer.family.format(group), application)
    if owned is None:
        return {}
    left = agent.after_leave.seconds_left(owned.key)
    return {
        "uid": owned.uid,
        "pid": owned.pid,
        "held": owned.held,
        "ends_in": None if left is None else round(left, 1),
    }


def joined_object(family: ProtocolFamily, joined: Joined) -> Asker:
    """The kernel's sockets: `exact` if all of them were found, and whose they are.

    Where it is not, `users` is how many the kernel counts, and the filter the widest there may be.
    """
    return {
        "exact": joined.is_exact,
        "users": joined.users,
        "processes": [
            {
                "name": holder.name,
                "pid": holder.pid,
                "uid": holder.uid,
                "container": container_of(holder.pid),
                **filter_object(family, holder.filter),
            }
            for holder in joined.holders
        ],
    }


def group_object(agent: Agent, interface: Interface, observer: Observer, group: Address) -> Group:
    family = observer.family
    applications = observer.received.applications(group).items()

    def clock(at: Instant | None) -> float | None:
        return None if at is None else wall_clock(at)

    return {
        "interface": interface.name,
        "protocol": family.name,
        "group": family.format(group),
        **filter_object(family, observer.received.groups[group]),
        "applications": [
            {
                "name": who,
                **filter_object(family, what),
                **asker(agent, interface, observer, group, who),
            }
            for who, what in applications
        ],
        "reported": family.is_reportable(group),
        "since": clock(observer.times.since(group)),
        "last_reported": clock(observer.reported(group)),
        **agent.streams.last_data(interface.index, group),
    }


def chosen(agent: Agent, name: str | None) -> Iterable[Interface]:
    """KeyError for a name that is not run."""
    if name is None:
        return agent.interfaces.values()
    return [agent.interfaces[name]]
