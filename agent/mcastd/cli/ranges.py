"""Reads one word for several groups, such as 239.1.0.0/28, for `mcastctl join` and `leave`."""

from __future__ import annotations

from ipaddress import ip_network

MOST = 4096
"""Groups by one word: each takes its place at the agent, the switch and the router."""


class RangeError(ValueError):
    """A range that is none; one line."""


def groups_of(word: str) -> list[str]:
    """The groups; the word itself if it is no range. RangeError."""
    if "/" not in word:
        return [word]
    try:
        network = ip_network(word)
    except ValueError as error:
        raise RangeError(f"{word}: {error}") from None
    if network.num_addresses > MOST:
        raise RangeError(
            f"{word}: {network.num_addresses} groups; at most {MOST} are joined by one command"
        )
    return [str(each) for each in network]
