"""The classifier of `bpf/`, compiled natively, against an independent reference."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import native_classifier, reference_classifier
from support.frames import frames, spoilt_packets
from support.golden import golden_messages
from support.packets import ethernet
from support.reference_classifier import Rules

rules = st.builds(
    Rules,
    igmp_max_version=st.sampled_from([3, 3, 2, 1]),
    mld_max_version=st.sampled_from([2, 2, 1]),
    require_ttl1=st.booleans(),
    require_router_alert=st.booleans(),
)


@settings(max_examples=500)
@given(packet=spoilt_packets, rules=rules)
def test_the_classifier_finds_in_a_packet_what_the_reference_finds(
    packet: bytes, rules: Rules
) -> None:
    """IN-02, IN-03, IN-04, IN-05, IN-06, IN-07, IN-08, IN-09, IN-10, IN-11, IN-12, IN-13, IN-14,
    IN-15, IN-16, IN-18.
    """
    assert native_classifier.classify_packet(packet, rules) == (
        reference_classifier.classify_packet(packet, rules)
    )


SIXTEEN_OPTIONS_AND_THEIR_END = ethernet(
    bytes.fromhex("4a00003000000000010208c0c0000201e0000001")
    + bytes([1] * 16 + [0] * 4)
    + bytes.fromhex("1100eeff00000000")
)
"""As many as are looked at; the end of the list is none more."""


@settings(max_examples=500)
@example(frame=SIXTEEN_OPTIONS_AND_THEIR_END, rules=Rules())
@given(frame=frames(), rules=rules)
def test_the_classifier_finds_in_a_frame_what_the_reference_finds(
    frame: bytes, rules: Rules
) -> None:
    """IN-02, IN-03, IN-04, IN-05, IN-06, IN-07, IN-08, IN-09, IN-10, IN-11, IN-12, IN-13, IN-14,
    IN-15, IN-16, IN-18.
    """
    assert native_classifier.classify_frame(frame, rules) == (
        reference_classifier.classify_frame(frame, rules)
    )


@settings(max_examples=500)
@given(frame=frames() | spoilt_packets.map(ethernet), rules=rules)
def test_the_short_way_leads_where_the_long_one_does(frame: bytes, rules: Rules) -> None:
    shortly = native_classifier.classify_usual(frame, rules)

    assert shortly in (None, native_classifier.classify_frame(frame, rules))


def test_what_the_kernels_and_routers_send_is_of_the_usual_shape() -> None:
    rules = Rules(3, 2, require_ttl1=True, require_router_alert=False)
    unusual = [
        each.name
        for each in golden_messages()
        if native_classifier.classify_usual(ethernet(each.packet), rules) is None
    ]

    assert unusual == []
