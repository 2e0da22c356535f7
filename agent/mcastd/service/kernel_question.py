"""Makes the general query that has this host's own kernel report all that it receives."""

from __future__ import annotations

from mcastd.gmp.time import Duration, milliseconds, seconds
from mcastd.service.observer import Observer
from mcastd.service.transmit import frame
from mcastd.wire import query

LONGEST_ANSWER = seconds(10)
ANSWER = milliseconds(100)
ANSWER_PER_GROUP = milliseconds(1)
"""In which the kernel is asked to answer, when it speaks for itself again."""

ASKING = bytes.fromhex("fe800000000000000000000000000001")
"""Where the questions to the kernel's MLD seem to come from: it must be link-local."""


def general_query(
    observer: Observer, hardware_address: bytes, within: Duration | None = None
) -> bytes:
    """The frame, which only this host is to hear; `hardware_address`: where it seems to come from.

    It says what the last query on the link said, from which the kernel had learned. Its answers are
    spread over a time that grows with their number, if `within` does not say which.
    """
    family = observer.family
    _, said = observer.asked or (None, None)
    if within is None:
        groups = len(observer.received.kernel)
        within = min(Duration(ANSWER + groups * ANSWER_PER_GROUP), LONGEST_ANSWER)
    asked = query(
        family,
        family.newest,
        source=family.unspecified if family.address_width == 4 else ASKING,
        max_response=within,
        robustness=said.robustness if said else 0,
        query_interval=said.query_interval if said else Duration(0),
    )
    return frame(asked, hardware_address, family.address_width)
