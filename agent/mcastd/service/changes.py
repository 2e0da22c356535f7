"""Carries out what operators and programs change through the control socket."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mcastd.gmp.config import ConfigError, HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.subscription import refusal
from mcastd.net.names import word
from mcastd.printable import brief
from mcastd.service import drop_in, modes
from mcastd.service.agent import Agent
from mcastd.service.callers import Caller
from mcastd.service.clock import wall_now
from mcastd.service.describe import filter_object
from mcastd.service.documents import JsonObject, Unread
from mcastd.service.faults import said
from mcastd.service.interface import Interface
from mcastd.service.mode import Mode
from mcastd.service.namespaces.inside import qualified
from mcastd.service.observer import Observer
from mcastd.service.owned import Owned
from mcastd.service.requests import Parameters
from mcastd.service.restart import needs_restart


class ChangeError(Exception):
    """A change that cannot be made; `code` for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def speaking(agent: Agent, name: str) -> Interface:
    """The interface, if the agent speaks there; ChangeError with the remedy if not."""
    interface = agent.interfaces[name]
    if interface.mode is not Mode.HOST:
        raise ChangeError(
            "observed",
            f"{name} is observed, the kernel speaks there; take it over: "
            f"mcastctl mode {word(qualified(name))} host",
        )
    return interface


def join(agent: Agent, caller: Caller, parameters: Parameters) -> JsonObject:
    """Joins a group for an application, or replaces what it asked for before."""
    interface = speaking(agent, parameters["name"])
    membership = membership_of(caller, parameters)
    observer = interface.observers[membership.family.name]
    refused = refusal(membership.family, observer.config, membership.address, membership.filter)
    if refused is not None:
        raise ChangeError(refused.code, refused.text)
    earlier = agent.owned.get(*membership.key)
    if earlier is not None:
        membership = membership._replace(since=earlier.since)
    elif agent.owned.total >= agent.settings.memberships:
        raise ChangeError(
            "too_many_memberships",
            f"{agent.owned.total} memberships were asked for already; leave some, or raise "
            "control.memberships",
        )
    put(agent, interface, membership)
    agent.after_leave.forget(membership.key)
    return membership_object(membership) | kept(agent, membership)


def kept(agent: Agent, membership: Owned) -> JsonObject:
    """Whether it outlasts the agent, and why not if it should."""
    problem = None if membership.held else agent.owned.problem
    is_kept = not membership.held and problem is None and agent.owned.keeps
    return {"kept": is_kept, "problem": problem}


def of_leaving(agent: Agent) -> JsonObject:
    """That it was left may be forgotten with a restart."""
    return {"problem": agent.owned.problem} if agent.owned.problem else {}


def put(agent: Agent, interface: Interface, membership: Owned) -> None:
    """Puts it in force, and keeps it. ChangeError if it cannot be had."""
    try:
        agent.memberships.put(interface, membership)
    except OSError as error:
        raise ChangeError("refused", error.strerror or str(error)) from None
    agent.owned.put(membership)


def leave(agent: Agent, caller: Caller, parameters: Parameters) -> JsonObject:
    """Ends an application's membership, or takes sources from it. Not joined: {"left": false}.

    `held_for`: the seconds that it stays in force, if that was asked for when it was joined and
    not `now`.
    """
    interface = agent.interfaces[parameters["name"]]
    asked = membership_of(caller, parameters)
    of_process = membership_of(caller, {**parameters, "hold": True})
    held = agent.owned.get(*of_process.key) or agent.owned.get(*asked.key)
    now = bool(parameters.get("now"))
    if held is None or (held.key in agent.after_leave and not now):
        return {"left": False}
    fewer = without(held, asked.sources)
    if fewer is not None:
        put(agent, interface, fewer)
        for told in agent.changed:
            told({held: fewer})
        return {"left": True, "remaining": membership_object(fewer), **of_leaving(agent)}
    if held.hold_after_leave and not now:
        hold_on(agent, held)
        return {"left": True, "held_for": held.hold_after_leave, **of_leaving(agent)}
    agent.after_leave.forget(held.key)
    agent.end(held)
    return {"left": True, **of_leaving(agent)}


def without(membership: Owned, sources: Collection[str]) -> Owned | None:
    """With fewer sources; None if the whole of it ends."""
    if not sources or membership.mode != FilterMode.INCLUDE.value:
        return None
    less = frozenset(sources)
    rest = tuple(each for each in membership.sources if each not in less)
    return membership._replace(sources=rest) if rest else None


def hold_on(agent: Agent, membership: Owned) -> None:
    """It was left, and stays in force for its time, which ends with the agent."""
    left = membership._replace(held=True)  # it is kept in no file
    agent.owned.put(left)
    agent.after_leave.begin(left)


def end(agent: Agent, membership: Owned) -> None:
    """The connection that held it is gone."""
    if agent.owned.get(*membership.key) != membership or membership.key in agent.after_leave:
        return
    if membership.hold_after_leave:
        hold_on(agent, membership)
    else:
        agent.end(membership)


def membership_of(caller: Caller, parameters: Parameters) -> Owned:
    sources = tuple(parameters.get("sources") or ())
    exclude = bool(parameters.get("exclude")) or not sources
    program, hold = parameters.get("program"), bool(parameters.get("hold"))
    try:
        membership = Owned(
            parameters["name"],
            "",
            (FilterMode.EXCLUDE if exclude else FilterMode.INCLUDE).value,
            (),
            f"api:{parameters.get('as') or caller.application(program, held=hold)}",
            caller.uid,
            caller.pid,
            wall_now(),
            hold,
            bool(parameters.get("kernel")),
            parameters.get("hold_after_leave", 0),
        )
        membership = membership._replace(group=str(parameters["group"]))
        family = membership.family
        return membership._replace(
            group=family.format(family.parse(membership.group)),
            sources=tuple(family.format(family.parse(each)) for each in sources),
        )
    except KeyError:
        raise ChangeError("bad_parameter", "group: required") from None
    except ValueError as error:
        raise ChangeError("bad_parameter", str(error)) from None


def membership_object(membership: Owned) -> JsonObject:
    held = filter_object(membership.family, membership.filter)
    return {
        "interface": membership.interface,
        "group": membership.group,
        "mode": held["mode"],
        "sources": held["sources"],
        "application": membership.application,
        "uid": membership.uid,
        "pid": membership.pid,
        "held": membership.held,
        "kernel": membership.kernel,
        "hold_after_leave": membership.hold_after_leave,
    }


def mode(agent: Agent, _caller: Caller, parameters: Parameters) -> JsonObject:
    """Hands an interface over, either way."""
    interface = agent.interfaces[parameters["name"]]
    asked = parameters.get("mode")
    try:
        wanted = Mode(str(asked))
    except ValueError:
        text = f"mode = {brief(asked)}: allowed is observe or host"
        raise ChangeError("bad_parameter", text) from None
    before = interface.mode
    problem = modes.set_by_hand(agent, interface, wanted)
    if problem is not None:
        raise ChangeError("refused", problem)
    return {"interface": interface.name, "from": before, "to": interface.mode}


def reload(agent: Agent, parameters: Parameters) -> JsonObject:
    """The files anew, as SIGHUP has them read; with `undo` also where something was set by hand.

    `by_hand`: what counts more than the files; `undone`: what did before; `needs_restart`: keys
    whose values are not in force until the agent is started anew.
    """
    undo = bool(parameters.get("undo"))
    before = by_hand(agent)
    problem = agent.reload(undo)
    if problem is not None:
        raise ChangeError("bad_configuration", f"{problem}; the running configuration stays")
    return {
        "interfaces": list(agent.interfaces),
        "by_hand": by_hand(agent),
        "undone": before if undo else [],
        "needs_restart": needs_restart(agent.started_with, agent.settings),
    }


def by_hand(agent: Agent) -> list[JsonObject]:
    """What was set at run time and is otherwise in the files."""
    return [
        difference._asdict()
        for interface in agent.interfaces.values()
        for difference in agent.differences(interface)
    ]


def version(agent: Agent, _caller: Caller, parameters: Parameters) -> JsonObject:
    """Sets the maximum version of a family on an interface, at once."""
    name, protocol = parameters["name"], parameters.get("protocol")
    family = FAMILIES.get(str(protocol))
    if family is None:
        raise ChangeError("bad_parameter", f"protocol = {brief(protocol)}: allowed is igmp or mld")
    interface = speaking(agent, name)
    key, wanted = f"{family.name}_max_version", parameters.get("version")
    observer = interface.observers[family.name]
    try:
        config = observer.config.changed(family, {key: wanted})
    except ConfigError as error:
        raise ChangeError("bad_parameter", str(error)) from None
    told = what_changes(observer, config.max_version)
    if parameters.get("dry_run"):
        return told
    announce = bool(parameters.get("announce"))
    set_version(agent, interface, observer, config._replace(announce_version_change=announce))
    agent.by_hand.set(name, key, config.max_version)
    if parameters.get("persist"):
        told["persisted"] = str(persist(agent, interface, {key: wanted}))
    return told | {"version": observer.host.version}


def persist(agent: Agent, interface: Interface, tunables: Unread) -> Path:
    """Keeps it under the name by which the files know the interface. ChangeError."""
    settings = agent.settings
    names = (interface.name, *interface.alternative_names)
    name = next((each for each in names if each in settings.interfaces), interface.name)
    try:
        path = drop_in.write(settings.path, name, tunables, settings.namespace)
    except OSError as error:
        raise ChangeError("not_persisted", f"changed, but not kept: {said(error)}") from None
    agent.settings = settings.kept(name, tunables)
    return path


def set_version(agent: Agent, interface: Interface, observer: Observer, config: HostConfig) -> None:
    kept = config._replace(announce_version_change=observer.config.announce_version_change)
    agent.configure_family(interface, observer, config)
    agent.configure_family(interface, observer, kept)


def what_changes(observer: Observer, maximum: int) -> JsonObject:
    """What a maximum version does, to whom: told before it is done."""
    host, family = observer.host, observer.family
    then = min(maximum, host.compatibility_version)
    filtered = [group for group, held in observer.received.groups.items() if held.sources]
    loses = then < family.newest == host.version
    return {
        "protocol": family.name,
        "from": {"max_version": host.config.max_version, "version": host.version},
        "to": {"max_version": maximum, "version": then},
        "groups": len(observer.received.groups),
        "groups_whose_sources_are_no_longer_reported": sorted(
            family.format(group) for group in filtered
        )
        if loses
        else [],
    }
