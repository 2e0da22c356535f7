"""Takes over what an agent before this one has attached, and the service manager has kept."""

from __future__ import annotations

from mcastd.fastpath.attach import Attachment, Closable, LinkFacts, Split, attach_program
from mcastd.fastpath.hooks import Hook, HookChoice
from mcastd.fastpath.kernel import Kernel, Program
from mcastd.fastpath.record import KeptAttachment, KeptLink
from mcastd.fastpath.store import Store
from mcastd.fastpath.streams import BEHIND, Streams


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

    None if it cannot be had whole: then nothing of it is attached any more. `split`, `streams`: as
    for `attach`.
    """
    split(kept.tags_taken_out)
    links: list[Closable] = []
    try:
        for each in kept.links:
            if streams is not None and each.program in BEHIND:
                program = streams.program(each.program, frags=each.frags)
            else:
                program = kernel.program(each.program, frags=each.frags)
            links.append(_exchanged(each, kept.ifindex, store, program))
    except (OSError, LookupError):
        for link in links:
            link.detach()
        for each in kept.links:
            store.give_up(each)
        split(False)
        return None
    return Attachment(
        kept.ifindex, kept.ingress, kept.egress, kept.reasons, tuple(links),
        kept.tags_taken_out, kept.choice, kept.streams,
    )  # fmt: skip


def _exchanged(kept: KeptLink, ifindex: int, store: Store, program: Program) -> Closable:
    if kept.name is None:
        name = "mcast_egress" if kept.program == "mcast_egress" else "mcast_ingress"
        return attach_program(program, ifindex, name, [])[1]
    return store.exchange(kept, ifindex, program)
