"""The classifier of `bpf/`, compiled natively, with the answer in the reference's words."""

from __future__ import annotations

from typing import Any

from mcastd._native import ffi, lib
from mcastd.wire import Kind, Reason

from support.reference_classifier import NOT_OURS, Rules, Verdict


def classify_frame(frame: bytes, rules: Rules) -> Verdict:
    return _verdict(lib.mcast_classify_frame, frame, rules)


def classify_usual(frame: bytes, rules: Rules) -> Verdict | None:
    """By the short way; None if the frame is not of the usual shape."""
    usual = True

    def classify(*arguments: Any) -> None:
        nonlocal usual
        usual = bool(lib.mcast_classify_usual(*arguments))

    verdict = _verdict(classify, frame, rules)
    return verdict if usual else None


def classify_packet(packet: bytes, rules: Rules) -> Verdict:
    return _verdict(lib.mcast_classify_packet, packet, rules)


def _verdict(classify: Any, data: bytes, rules: Rules) -> Verdict:
    native_rules = ffi.new("struct mcast_rules *")
    native_rules.igmp_max_version = rules.igmp_max_version
    native_rules.mld_max_version = rules.mld_max_version
    native_rules.require_ttl_1 = rules.require_ttl1
    native_rules.require_router_alert = rules.require_router_alert
    found = ffi.new("struct mcast_message *")
    classify(data, len(data), native_rules, found)
    if not found.kind:
        return NOT_OURS
    return Verdict(
        Kind(found.kind).label,
        Reason(found.reason).label if found.reason else None,
        0 if found.reason else found.message - found.network,
        0 if found.reason else found.length,
        tuple(found.vlan[tag] for tag in range(found.tags)),
        bool(found.flags & lib.MCAST_WITHOUT_ROUTER_ALERT) and not found.reason,
        bool(lib.mcast_needs_assigned_destination(found)),
        bool(lib.mcast_needs_foreign_source(found)),
    )
