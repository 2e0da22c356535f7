"""What is a scenario file and what is not: the error names the place and what is wrong."""

from __future__ import annotations

import pytest
from mcastd.gmp.events import Configure, LinkDown, Listen
from mcastd.simulate import Scenario, ScenarioError, load
from mcastd.simulate.scenario import AnyOf, Expected, Receive, Silent


def loaded(text: str) -> list[Scenario]:
    return list(load(text, "file.yaml"))


def steps(*written: str, family: str = "igmp", more: str = "") -> str:
    listed = "".join(f"  - {each}\n" for each in written)
    return f"family: {family}\n{more}\nsteps:\n{listed}"


def expect(*written: str, family: str = "igmp") -> str:
    listed = "".join(f"  - {each}\n" for each in written)
    return f"family: {family}\nexpect:\n{listed}"


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(text)
    return str(caught.value)


def test_a_file_has_several_documents_and_empty_ones_are_skipped() -> None:
    text = "# only a comment\n---\nfamily: igmp\n---\n---\nname: second\nfamily: mld\n---\n# end\n"
    assert [(each.name, each.family.name, each.line) for each in loaded(text)] == [
        ("scenario 1", "igmp", 3),
        ("second", "mld", 6),
    ]


def test_a_file_without_anything_has_no_scenario() -> None:
    assert loaded("") == []
    assert loaded("# nothing\n") == []


def test_defaults() -> None:
    igmp, mld = loaded("family: igmp\n---\nfamily: mld\n")
    assert (igmp.mtu, igmp.until, igmp.exhaustive, igmp.steps) == (1500, None, True, ())
    assert [str(each) for each in igmp.addresses] == ["192.0.2.10/24"]
    assert [str(each) for each in mld.addresses] == ["fe80::10/64"]
    assert (igmp.config.max_version, mld.config.max_version) == (3, 2)


def test_keys_left_empty_are_as_if_left_out() -> None:
    (scenario,) = loaded("family: igmp\nname:\ninterface:\nconfig:\nsteps:\nexpect:\nuntil: ~\n")
    assert (scenario.steps, scenario.expectations, scenario.until) == ((), (), None)


def test_an_interface_may_have_no_address() -> None:
    (scenario,) = loaded("family: mld\ninterface: {mtu: 1280, addresses: []}\n")
    assert (scenario.mtu, scenario.addresses) == (1280, ())


@pytest.mark.parametrize("group", ["1:2:3", "010", "off"])
def test_what_yaml_would_make_of_an_address_does_not_matter(group: str) -> None:
    text = steps(f"{{at: 0, listen: {{group: {group}, mode: include}}}}")
    assert f"'{group}' is not an address" in refusal(text)


def test_an_application_may_be_named_anything() -> None:
    for name in ("off", "1", "0x10", "null"):
        text = steps(f"{{at: 0, listen: {{app: {name}, group: 239.1.2.3, mode: exclude}}}}")
        (step,) = loaded(text)[0].steps
        assert isinstance(step.action, Listen)
        assert step.action.application == name


def test_a_packet_of_digits_only_is_no_number() -> None:
    (step,) = loaded(steps("{at: 0, receive: {packet: 0010}}"))[0].steps
    assert step.action == Receive(b"\x00\x10")


@pytest.mark.parametrize(
    "group", ["ff15::", "{group: ff15::, mode: include}", "{group: ::, mode: include}"]
)
def test_an_address_that_yaml_cannot_read_must_be_quoted(group: str) -> None:
    listen = f"listen: {group}" if "{" in group else f"listen:\n      group: {group}"
    found = refusal(f"family: mld\nsteps:\n  - at: 0\n    {listen}\n")
    assert "must be quoted" in found


def test_quoted_addresses_are_read() -> None:
    text = steps("{at: 0, listen: {group: 'ff15::', mode: exclude}}", family="mld")
    (step,) = loaded(text)[0].steps
    assert isinstance(step.action, Listen)
    assert step.action.group == bytes.fromhex("ff15" + 28 * "0")


@pytest.mark.parametrize(
    "written", ["1e3", "0x10", "010", "1_000", "true", "'1'", "1:30", ".inf", "soon", "[1]", "5."]
)
def test_times_are_plain_numbers(written: str) -> None:
    assert "is wanted" in refusal(steps(f"{{at: {written}, link: up}}"))


@pytest.mark.parametrize(
    ("written", "nanoseconds"), [("0", 0), ("1.5", 1_500_000_000), (".25", 250_000_000)]
)
def test_times_are_seconds(written: str, nanoseconds: int) -> None:
    assert loaded(steps(f"{{at: {written}, link: down}}"))[0].steps[0].at == nanoseconds


def test_times_are_not_negative() -> None:
    assert "out of range" in refusal(steps("{at: -1, link: up}"))


def test_steps_are_in_order_of_time() -> None:
    found = refusal(steps("{at: 2, link: up}", "{at: 1, link: up}"))
    assert found.startswith("file.yaml:5: steps[2]: is earlier")


def test_no_step_is_after_the_end() -> None:
    assert "later than `until`" in refusal(steps("{at: 2, link: up}", more="until: 1.9"))
    assert loaded(steps("{at: 2, link: up}", more="until: 2"))


def test_unknown_keys_are_refused_with_the_nearest_known_one() -> None:
    assert refusal("famly: igmp\n").endswith("'famly' is not known; did you mean 'family'?")
    assert "did you mean 'listen'" in refusal(steps("{at: 0, lisen: {}}"))
    assert "did you mean 'robustness'" in refusal("family: igmp\nconfig: {robustnes: 3}\n")
    assert "did you mean 'records'" in refusal(expect("{at: 0, send: {record: []}}"))
    assert "did you mean 'igps_rcv_total'" in refusal(expect("end: {counters: {igps_rcv_totl: 1}}"))
    assert "did you mean 'bad_ttl'" in refusal(expect("{at: 0, reject: {reason: bad_tll}}"))


def test_a_key_stands_once() -> None:
    assert "'family' stands here twice" in refusal("family: igmp\nfamily: mld\n")


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("name: x\n", "file.yaml:1", "'family' is missing"),
        ("family:\n", "file.yaml:1", "'family' is missing"),
        ("family: ipv4\n", "file.yaml:1: family", "known are igmp, mld"),
        ("- family: igmp\n", "file.yaml:1", "a mapping is wanted"),
        ("just text\n", "file.yaml:1", "not 'just text'"),
        ("family: igmp\nsteps: {at: 0}\n", "file.yaml:2: steps", "a list is wanted"),
        ("a: b: c\n", "file.yaml:1", "is not YAML"),
        ("family: [igmp\n", "file.yaml:2", "is not YAML"),
        ("family: igmp\ninterface: {mtu: 0}\n", "file.yaml:2: interface.mtu", "out of range"),
        ("family: igmp\nexhaustive: no\n", "file.yaml:2: exhaustive", "true or false"),
        ("family: igmp\nconfig: {robustness: 9}\n", "config.robustness", "from 2 to 7"),
        ("family: igmp\nconfig: {compat_enable: off}\n", "config.compat_enable", "true or false"),
        ("family: igmp\nconfig: {ssm_ranges: [x]}\n", "config.ssm_ranges", "prefixes"),
        ("family: igmp\ndelay: often\n", "delay", "max, min, half"),
        ("family: igmp\ndelay: 0\n", "delay", "more than 0"),
        ("family: igmp\ndelay: [0.5, 2]\n", "delay[2]", "out of range"),
        ("family: igmp\ndelay: []\n", "delay", "at least one"),
        ("family: igmp\ndelay: {sead: 1}\n", "delay", "did you mean 'seed'"),
        (steps("{link: up}"), "steps[1]", "'at' is missing"),
        (steps("{at: 0}"), "steps[1]", "exactly one of"),
        (steps("{at: 0, link: up, mtu: 1500}"), "steps[1]", "exactly one of"),
        (steps("{at: 0, link: sideways}"), "steps[1].link", "known are down, up"),
        (steps("{at: 0, address: {}}"), "steps[1].address", "either add or remove"),
        (steps("{at: 0, address: {add: fe80::1}}"), "address.add", "igmp can carry"),
        (steps("{at: 0, address: {add: 239.1.1.1}}"), "address.add", "cannot be"),
        (steps("{at: 0, address: {add: nowhere}}"), "address.add", "is not an address"),
        (steps("{at: 0, listen: {mode: include}}"), "steps[1].listen", "'group' is missing"),
        (
            steps("{at: 0, listen: {group: ff15::1, mode: include}}"),
            "listen.group",
            "igmp can carry",
        ),
        (
            steps("{at: 0, listen: {group: 239.1.1.1, mode: include, sources: [1.2.3]}}"),
            "listen.sources[1]",
            "is not an address",
        ),
        (steps("{at: 0, receive: {version: 3}}"), "steps[1].receive", "either message or packet"),
        (steps("{at: 0, receive: {packet: 46c}}"), "receive.packet", "hexadecimal"),
        (steps("{at: 0, receive: {message: query}}"), "steps[1].receive", "'version' is missing"),
        (
            steps("{at: 0, receive: {message: query, version: 4}}"),
            "receive.version",
            "out of range: 1 to 3",
        ),
        (
            steps("{at: 0, receive: {message: query, version: 2, sources: [192.0.2.1]}}"),
            "receive.sources",
            "has no 'sources'",
        ),
        (
            steps("{at: 0, receive: {message: query, version: 2, max_resp: 25.6}}"),
            "receive.max_resp",
            "at most 25.5 seconds",
        ),
        (
            steps("{at: 0, receive: {message: query, version: 1, max_resp: 5}}"),
            "receive.max_resp",
            "stands for 10 seconds",
        ),
        (
            steps("{at: 0, receive: {message: report, version: 3, group: 239.1.1.1}}"),
            "steps[1].receive",
            "has 'records' and no 'group'",
        ),
        (
            steps("{at: 0, receive: {message: report, version: 3, records: []}}"),
            "receive.records",
            "at least one record",
        ),
        (expect("{send: {}}"), "expect[1]", "a time is wanted"),
        (expect("{at: 0, within: [0, 1], send: {}}"), "expect[1]", "a time is wanted"),
        (expect("{within: [2, 1], send: {}}"), "expect[1].within", "the earlier first"),
        (expect("{at: 0}"), "expect[1]", "exactly one of"),
        (expect("{at: 0, send: {}, mode: 3}"), "expect[1]", "exactly one of"),
        (expect("{at: 0, mode: 3, packets: true}"), "expect[1].packets", "belongs to a send"),
        (expect("{at: 0, silent: [0, 1]}"), "expect[1]", "stands alone"),
        (expect("{count: 1, end: {}}"), "expect[1]", "stands alone"),
        (expect("{at: 0, send: {}, packet: 4}"), "expect[1].packet", "hexadecimal"),
        (expect("{at: 0, mode: 3, packet: 46}"), "expect[1].packet", "belongs to a send"),
        (
            steps("{at: 0, receive: {message: leave, version: 3, group: 239.1.1.1}}"),
            "receive.version",
            "known are 2",
        ),
        (expect("{any_of: []}"), "expect[1].any_of", "at least one"),
        (expect("{at: 0, send: {}, count: 0}"), "expect[1].count", "out of range"),
        (expect("&a {any_of: [[*a]]}"), "expect[1].any_of", "nested too deeply"),
    ],
)
def test_the_error_names_the_place_and_what_is_wrong(text: str, place: str, problem: str) -> None:
    found = refusal(text)
    assert found.startswith("file.yaml:")
    assert place in found
    assert problem in found


def test_tunables_of_the_other_family_are_checked_and_left_alone() -> None:
    (scenario,) = loaded("family: mld\nconfig: {igmp_max_version: 2, robustness: 3}\n")
    assert (scenario.config.max_version, scenario.config.robustness) == (2, 3)


def test_tunables_that_are_set_add_up() -> None:
    text = steps(
        "{at: 1, set: {igmp_max_version: 2}}",
        "{at: 2, set: {robustness: 4}}",
        more="config: {uri_new: 2}",
    )
    *_, last = loaded(text)[0].steps
    assert isinstance(last.action, Configure)
    config = last.action.config
    assert (config.max_version, config.robustness, config.unsolicited_report_interval) == (
        2,
        4,
        2_000_000_000,
    )


def test_silence_is_an_entry_or_stands_at_the_top() -> None:
    (entry,) = loaded(expect("{silent: [1, 2]}"))
    (top,) = loaded("family: igmp\nsilent: [1, 2]\n")
    (several,) = loaded("family: igmp\nsilent: [[1, 2], [3, 4]]\n")
    for scenario in (entry, top, several):
        silent = scenario.expectations[0]
        assert isinstance(silent, Silent)
        assert (silent.window.first, silent.window.last) == (1_000_000_000, 2_000_000_000)
    assert len(several.expectations) == 2


def test_addresses_are_compared_however_they_are_written() -> None:
    text = expect("{at: 0, send: {from: 'FE80:0::10', group: 'ff15:0:0::ABCD'}}", family="mld")
    (entry,) = loaded(text)[0].expectations
    assert isinstance(entry, Expected)
    assert entry.value == {"from": "fe80::10", "group": "ff15::abcd"}


def test_alternatives_may_be_empty() -> None:
    (entry,) = loaded(expect("{any_of: [[], [{at: 1, mode: 2}]]}"))[0].expectations
    assert isinstance(entry, AnyOf)
    assert [len(each) for each in entry.alternatives] == [0, 1]


def test_steps_are_values() -> None:
    (step,) = loaded(steps("{at: 1, link: down}"))[0].steps
    assert (step.number, step.at, step.action) == (1, 1_000_000_000, LinkDown())


@pytest.mark.parametrize("message", ["leave", "leave, version: 1", "done"])
def test_a_done_is_a_leave(message: str) -> None:
    text = steps(f"{{at: 0, receive: {{message: {message}, group: 'ff15::1'}}}}", family="mld")
    (step,) = loaded(text)[0].steps
    assert isinstance(step.action, Receive)
    assert step.action.packet[48] == 132
