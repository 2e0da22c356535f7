"""What `--check` finds, and what it lets pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mcastd.simulate import Scenario, check, load, run
from support.scenarios import differences, suite

REPORT = "{message: report, version: 3, records: [{type: TO_EX, group: 239.1.2.3, sources: []}]}"
JOINED = """
family: igmp
delay: max
until: 60
{more}
steps:
  - {{at: 0, listen: {{app: a, group: 239.1.2.3, mode: exclude, sources: []}}}}
expect:
  {expected}
"""
"""Sends at 0 and 1."""

LISTED = """
family: igmp
interface: {{mtu: 68}}
delay: max
until: 0
steps:
  - at: 0
    listen:
      group: 239.1.2.3
      mode: include
      sources: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8]
expect:
  {expected}
"""
"""Sends seven sources and one source, in two packets."""

ALL_EIGHT = "[10.0.0.8, 10.0.0.7, 10.0.0.6, 10.0.0.5, 10.0.0.4, 10.0.0.3, 10.0.0.2, 10.0.0.1]"
ALLOW_EIGHT = f"{{records: [{{type: ALLOW, group: 239.1.2.3, sources: {ALL_EIGHT}}}]}}"

BOTH = f"- {{at: 0, send: {REPORT}}}", f"- {{at: 1, send: {REPORT}}}"


def joined(*expected: str, more: str = "") -> list[str]:
    return differences(JOINED.format(expected="\n  ".join(expected) or "[]", more=more))


def listed(*expected: str) -> list[str]:
    return differences(LISTED.format(expected="\n  ".join(expected)))


def test_what_is_as_expected_is_no_difference() -> None:
    assert joined(*BOTH) == []
    assert joined(*reversed(BOTH)) == []


def test_a_message_that_no_entry_accounts_for_is_a_difference() -> None:
    (only,) = joined(BOTH[0])
    assert only.startswith("+ 1.000  report v3 TO_EX 239.1.2.3 {}")


def test_an_entry_without_a_message_is_a_difference() -> None:
    (only,) = joined(*BOTH, f"- {{at: 2, send: {REPORT}}}")
    assert only == "- 2.000  report v3 TO_EX 239.1.2.3 {}  (expected by line 11, did not happen)"


def test_each_entry_accounts_for_one_message() -> None:
    assert len(joined("- {within: [0, 60], send: {message: report}}")) == 1
    assert joined("- {within: [0, 60], send: {message: report}, count: 2}") == []
    assert len(joined("- {within: [0, 60], send: {message: report}, count: 3}")) == 1


def test_the_entry_that_fits_only_one_message_gets_it() -> None:
    wide = "- {within: [0, 60], send: {message: report}}"
    assert joined(wide, "- {at: 0, send: {version: 3}}") == []
    assert joined(wide, "- {at: 1, send: {version: 3}}") == []
    assert joined("- {within: [0, 1], send: {}}", "- {within: [0, 0], send: {}}") == []


@pytest.mark.parametrize("at", ["0.999", "1.001"])
def test_a_millisecond_is_near_enough(at: str) -> None:
    assert joined(BOTH[0], f"- {{at: {at}, send: {REPORT}}}") == []


@pytest.mark.parametrize("at", ["0.998", "1.002", "0.5", "2"])
def test_two_milliseconds_are_not(at: str) -> None:
    assert len(joined(BOTH[0], f"- {{at: {at}, send: {REPORT}}}")) == 2


@pytest.mark.parametrize(
    "other",
    [
        "{message: leave}",
        "{version: 2}",
        "{from: 192.0.2.11}",
        "{to: 224.0.0.2}",
        "{group: 239.1.2.3}",
        "{records: []}",
        "{records: [{type: IS_EX, group: 239.1.2.3, sources: []}]}",
        "{records: [{type: TO_EX, group: 239.1.2.4, sources: []}]}",
        "{records: [{type: TO_EX, group: 239.1.2.3, sources: [10.0.0.1]}]}",
        "{records: [{type: TO_EX, group: 239.1.2.3}, {type: TO_EX}]}",
    ],
)
def test_every_field_that_is_named_is_compared(other: str) -> None:
    assert len(joined(BOTH[0], f"- {{at: 1, send: {other}}}")) == 2


@pytest.mark.parametrize(
    "same",
    [
        "{}",
        "{to: 224.0.0.22}",
        "{records: [{type: TO_EX}]}",
        "{records: [{group: 239.1.2.3, sources: []}]}",
    ],
)
def test_fields_that_are_not_named_are_not_compared(same: str) -> None:
    assert joined(BOTH[0], f"- {{at: 1, send: {same}}}") == []


def test_without_exhaustive_messages_more_are_no_difference() -> None:
    assert joined(BOTH[1], more="exhaustive: false") == []
    assert len(joined("- {at: 3, send: {}}", more="exhaustive: false")) == 1


def test_silence_is_broken_by_any_message_in_its_span() -> None:
    more = "exhaustive: false"
    assert joined("- {silent: [1.001, 60]}", more=more) == []
    (only,) = joined("- {silent: [0.5, 60]}", more=more)
    assert only.startswith("+ 1.000")
    assert "line 9 wants silence" in only
    assert len(joined("[]", more=more + "\nsilent: [0, 1]")) == 2


def test_one_of_the_alternatives_is_enough() -> None:
    first = f"[{BOTH[0][2:]}, {BOTH[1][2:]}]"
    other = f"[{BOTH[0][2:]}]"
    assert joined(f"- any_of: [{other}, {first}]") == []
    assert joined(f"- any_of: [{first}, {other}]") == []
    assert joined(BOTH[0], f"- any_of: [[], [{BOTH[1][2:]}]]") == []
    assert len(joined(f"- any_of: [{other}, []]")) == 1


def test_other_lines_are_expected_in_the_same_way() -> None:
    steps = """
family: igmp
until: 60
steps:
  - {at: 5, receive: {message: query, version: 3, ttl: 9}}
  - {at: 6, listen: {group: 10.0.0.1, mode: exclude, sources: []}}
  - {at: 7, receive: {message: query, version: 2}}
expect:
"""
    good = [
        "{at: 5, reject: {reason: bad_ttl}}",
        "{at: 6, error: {step: 2, code: EINVAL}}",
        "{at: 7, mode: 2}",
    ]
    bad = [
        "{at: 5, reject: {reason: bad_group}}",
        "{at: 6, error: {step: 1, code: EINVAL}}",
        "{at: 6, error: {code: ENOBUFS}}",
        "{at: 7, mode: 1}",
        "{at: 8, mode: 2}",
        "{at: 5, mode: 2}",
    ]
    assert differences(steps + "".join(f"  - {each}\n" for each in good)) == []
    for each in bad:
        assert len(differences(f"{steps}  - {each}\n")) == 1, each


def test_other_lines_need_no_entry() -> None:
    assert (
        differences(
            "family: igmp\nuntil: 9\nsteps: [{at: 7, receive: {message: query, version: 2}}]\n"
        )
        == []
    )


@pytest.mark.parametrize(
    ("expected", "count"),
    [
        ("{mode: 3}", 0),
        ("{mode: 2}", 1),
        ("{robustness: 2, query_interval: 125}", 0),
        ("{groups: {239.1.2.3: {mode: exclude, sources: []}}}", 0),
        ("{groups: {239.1.2.3: {sources: []}}}", 0),
        ("{groups: {239.1.2.3: {mode: include}}}", 1),
        ("{groups: {239.1.2.3: {sources: [10.0.0.1]}}}", 1),
        ("{groups: {239.1.2.4: {mode: include}}}", 1),
        ("{groups: {239.1.2.4: null}}", 0),
        ("{groups: {239.1.2.3: null}}", 1),
        ("{groups: {}}", 1),
        ("{counters: {igps_snd_reports: 2}}", 0),
        ("{counters: {igps_snd_reports: 3, igps_rcv_total: 1}}", 2),
    ],
)
def test_the_end_is_compared_on_the_fields_it_names(expected: str, count: int) -> None:
    assert len(joined(*BOTH, f"- end: {expected}")) == count


def test_no_groups_at_the_end() -> None:
    assert differences("family: igmp\nexpect: [{end: {groups: {}}}]\n") == []


def test_packets_of_a_moment_are_taken_together() -> None:
    assert listed(f"- {{at: 0, packets: true, send: {ALLOW_EIGHT}}}") == []
    assert listed(f"- {{at: 0, packets: true, count: 2, send: {ALLOW_EIGHT}}}") == []
    assert len(listed(f"- {{at: 0, packets: true, count: 3, send: {ALLOW_EIGHT}}}")) == 3
    assert len(listed(f"- {{at: 0, send: {ALLOW_EIGHT}}}")) == 3
    assert len(listed(f"- {{at: 1, packets: true, send: {ALLOW_EIGHT}}}")) == 3


def test_max_packet_is_the_longest_packet_allowed() -> None:
    together = f"at: 0, packets: true, send: {ALLOW_EIGHT}"
    assert listed(f"- {{{together}, max_packet: 68}}") == []
    (only,) = listed(f"- {{{together}, max_packet: 67}}")
    assert only.startswith("! 0.000  a packet of 68 bytes, more than max_packet 67")
    (only,) = joined(BOTH[0], f"- {{at: 1, send: {REPORT}, max_packet: 39}}")
    assert only.startswith("! 1.000  a packet of 40 bytes")


def test_differences_are_in_order_of_time() -> None:
    found = joined("- {at: 5, send: {}}", "- {at: 0.5, send: {}}")
    assert [each.split()[1] for each in found] == ["0.000", "0.500", "1.000", "5.000"]


def test_long_lists_are_shortened() -> None:
    (only,) = [each for each in listed("[]") if "10.0.0.8" not in each]
    assert "{10.0.0.1 .. 10.0.0.7, 7 sources}" in only


def test_the_end_may_say_when_it_is() -> None:
    assert joined(*BOTH, "- {at: 60, end: {mode: 3}}") == []
    (only,) = joined(*BOTH, "- {at: 61, end: {mode: 3}}")
    assert only.startswith("! end: at 60.000, not 61.000")


def test_a_packet_may_be_compared_byte_for_byte() -> None:
    golden = "46c00028000040000102 41ef c000020ae000001694040000 2200e8f90000000104000000ef010203"
    assert joined(BOTH[0], f"- {{at: 1, send: {{}}, packet: {golden}}}") == []
    assert len(joined(BOTH[0], f"- {{at: 1, send: {{}}, packet: {golden[:-1]}4}}")) == 2


@pytest.mark.parametrize("asked", suite(), ids=lambda each: each.name)
def test_the_output_can_stand_as_what_is_expected(asked: Scenario) -> None:
    """Each line of it is an entry that accounts for itself."""
    found = [line for line in run(asked) if line.kind != "warning"]
    written = "".join(f"  - {line.to_json()}\n" for line in found)
    (expecting,) = load(f"family: {asked.family.name}\nexpect:\n{written}", "output")
    assert check(replace(asked, expectations=expecting.expectations), found) == []
