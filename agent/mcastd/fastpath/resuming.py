"""Takes over what an agent before this one has attached, and the service manager has kept."""

from __future__ import annotations

from typing import NamedTuple

from mcastd.fastpath.attach import (
    NO_TCX,
    Attachment,
    Closable,
    Front,
    LinkFacts,
    Split,
    attach_program,
    xdp_in_front,
)
from mcastd.fastpath.hooks import Hook, HookChoice
from mcastd.fastpath.kernel import Kernel, Program
from mcastd.fastpath.record import KeptAttachment, KeptLink
from mcastd.fastpath.store import Store
from mcastd.fastpath.streams import BEHIND, Streams

EGRESS = "mcast_egress"
"""The program on the other side."""


def resumed(
    kernel: Kernel,
    store: Store | None,
    ifindex: int,
    choice: HookChoice,
    *,
    split: Split,
    streams: Streams | None,
) -> Attachment | None:
    """What is attached there since before, if it is as it should be now. OSError: it is gone.

    `split`, `streams`: as for `attach`.
    """
    kept = store.take(ifindex) if store is not None else None
    if store is None or kept is None:
        return None
    if not is_as_wanted(kept, choice, streams=streams is not None):
        for each in kept.links:
            store.give_up(each)
        return None
    return resume(kernel, kept, store, split, streams)


def is_as_wanted(kept: KeptAttachment, choice: HookChoice, *, streams: bool) -> bool:
    """Whether an interface would be attached so now. OSError if it is gone."""
    if (kept.choice, kept.streams) != (choice, streams):
        return False
    if kept.ingress is not Hook.XDP_NATIVE:
        return True
    return LinkFacts.of(kept.ifindex).tags_taken_out == kept.tags_taken_out


def resume(
    kernel: Kernel,
    kept: KeptAttachment,
    store: Store,
    split: Split,
    streams: Streams | None,
) -> Attachment | None:
    """What an agent before this one has attached, with this one's programs in it.

    Where that is traffic control's hook because XDP's was not to be had, and it is now, XDP's is
    taken first. The program there looks at nothing until `split` is called, which has the policy of
    the interface written; traffic control's then goes, or stands behind it. None if it cannot be
    had whole: then nothing of it is attached any more. `split`, `streams`: as for `attach`.
    """
    front = xdp_in_front(kernel, kept.ifindex, streams) if may_climb(kept) else None
    place = place_of(kept, front)
    try:  # programs may still be loading: nothing waits for them between the two hooks
        programs = [(each, _program_of(each, kernel, streams)) for each in kept.links]
        split(place.is_split)
        is_over = place.hook is not kept.ingress and not place.is_split
        for each, program in programs:
            if is_over and each.program != EGRESS:
                _end(each, kept.ifindex, store, program)
            else:
                place.links.append(_exchanged(each, kept.ifindex, store, program))
    except (OSError, LookupError):
        for link in place.links:
            link.detach()
        for each in kept.links:
            store.give_up(each)
        split(False)
        return None
    hook, is_split, reasons, links = place
    return Attachment(
        kept.ifindex, hook, kept.egress, reasons, tuple(links), is_split, kept.choice, kept.streams
    )  # fmt: skip


class Place(NamedTuple):
    """Where the ingress side is from now on, and why. `links`: those that are there already."""

    hook: Hook
    is_split: bool
    reasons: tuple[str, ...]
    links: list[Closable]


def place_of(kept: KeptAttachment, front: Front | None) -> Place:
    """The place that was kept, unless XDP's has been taken in front of it."""
    if front is None:
        return Place(kept.ingress, kept.tags_taken_out, kept.reasons, [])
    reasons = (*front.reasons, *(each for each in kept.reasons if each == NO_TCX))
    if front.hook is None:
        return Place(kept.ingress, kept.tags_taken_out, reasons, [])
    return Place(front.hook, front.is_split, reasons, [*front.links])


def may_climb(kept: KeptAttachment) -> bool:
    """Whether XDP's place would be better, and nobody wants another. Generic XDP is wanted so."""
    return kept.choice is HookChoice.AUTO and kept.ingress in (Hook.TCX, Hook.CLSACT)


def _program_of(kept: KeptLink, kernel: Kernel, streams: Streams | None) -> Program:
    """This agent's, for the place of that one. OSError."""
    if streams is not None and kept.program in BEHIND:
        return streams.program(kept.program, frags=kept.frags)
    return kernel.program(kept.program, frags=kept.frags)


def _end(kept: KeptLink, ifindex: int, store: Store, program: Program) -> None:
    """Traffic control's program goes. OSError."""
    if kept.name is None:  # after a kill the filter is still there
        _exchanged(kept, ifindex, store, program).detach()
    else:
        store.give_up(kept)


def _exchanged(kept: KeptLink, ifindex: int, store: Store, program: Program) -> Closable:
    if kept.name is None:
        name = EGRESS if kept.program == EGRESS else "mcast_ingress"
        return attach_program(program, ifindex, name, [])[1]
    return store.exchange(kept, ifindex, program)
