"""What a firewall does with multicast, read from what its own tools print."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from mcastd.service.doctor import iptables, nftables
from mcastd.service.doctor.ruleset import (
    ICMPV6,
    IGMP,
    INPUT,
    OUTPUT,
    UDP,
    Dropped,
    Ruleset,
    Traffic,
    dropped,
)


def packed(text: str) -> bytes:
    return ip_address(text).packed


QUERY = Traffic(IGMP, packed("224.0.0.1"), packed("192.0.2.1"), 0x11, comes_in_by="eth0")
REPORT = Traffic(IGMP, packed("224.0.0.22"), None, 0x22, goes_out_by="eth0")
MLD_QUERY = Traffic(ICMPV6, packed("ff02::1"), packed("fe80::1"), 130, comes_in_by="eth0")
MLD_REPORT = Traffic(ICMPV6, packed("ff02::16"), None, 143, goes_out_by="eth0")
DATA = Traffic(UDP, packed("239.1.1.1"), packed("10.0.0.2"), port=5004, comes_in_by="eth0")
DATA_OF_ANY_PORT = DATA._replace(source=None, port=None)

HEAD = (
    "*filter\n:INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:LIMITS - [0:0]\n"
)


def saved(*rules: str, policy: str = "ACCEPT", family: str = "ip") -> Ruleset:
    text = HEAD.format(policy=policy) + "\n".join(rules) + "\nCOMMIT\n"
    return Ruleset(tuple(iptables.chains(family, "iptables-save -c", text)))


def way(traffic: Traffic) -> tuple[str, ...]:
    return OUTPUT if traffic.goes_out_by else INPUT


def certain(found: Dropped | None) -> bool | None:
    """None: it is not dropped."""
    return None if found is None else found.is_certain


@pytest.mark.parametrize(
    ("rule", "traffic", "expected"),
    [
        ("[7:2] -A INPUT -p igmp -j DROP", QUERY, True),
        ("[7:2] -A INPUT -p igmp -j DROP", REPORT, None),
        ("[0:0] -A OUTPUT -p igmp -j REJECT --reject-with icmp-port-unreachable", REPORT, True),
        ("[0:0] -A OUTPUT -p 2 -j DROP", REPORT, True),
        ('[0:0] -A INPUT -p igmp -m comment --comment "no -j ACCEPT" -j DROP', QUERY, True),
        ("[0:0] -A INPUT -d 239.0.0.0/8 -p udp -m udp --dport 5004 -j DROP", DATA, True),
        ("[0:0] -A INPUT -d 239.0.0.0/8 -p udp -m udp --dport 5005 -j DROP", DATA, None),
        ("[0:0] -A INPUT -p udp -m multiport --dports 1:10,5000:6000 -j DROP", DATA, True),
        ("[0:0] -A INPUT -p udp -m udp --dport 5004 -j DROP", DATA_OF_ANY_PORT, False),
        ("[0:0] -A INPUT ! -s 10.0.0.0/8 -j DROP", DATA, None),
        ("[0:0] -A INPUT ! -s 10.0.0.0/8 -j DROP", QUERY, True),
        ("[0:0] -A INPUT -i eth+ -m pkttype --pkt-type multicast -j DROP", DATA, True),
        ("[0:0] -A INPUT ! -i eth0 -p igmp -j DROP", QUERY, None),
        ("[0:0] -A INPUT -m conntrack --ctstate INVALID -j DROP", QUERY, None),
        ("[0:0] -A INPUT -m limit --limit 5/sec -p igmp -j DROP", QUERY, False),
        ("[0:0] -A INPUT -p igmp -j LOG --log-prefix x", QUERY, None),
    ],
)
def test_a_rule_of_iptables_is_understood(
    rule: str, traffic: Traffic, expected: bool | None
) -> None:
    assert certain(dropped(saved(rule), way(traffic), traffic)) is expected


def test_mld_is_dropped_by_its_type() -> None:
    ruleset = saved("[0:0] -A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 143 -j DROP", family="ip6")
    assert certain(dropped(ruleset, OUTPUT, MLD_REPORT)) is True
    assert dropped(ruleset, INPUT, MLD_QUERY) is None
    assert dropped(ruleset, OUTPUT, REPORT) is None


def test_what_no_rule_accepts_meets_the_policy() -> None:
    accepting = "[0:0] -A INPUT -p igmp -j ACCEPT"
    assert dropped(saved(accepting, policy="DROP"), INPUT, QUERY) is None
    found = dropped(saved(accepting, policy="DROP"), INPUT, DATA)
    assert found is not None
    assert (found.is_certain, found.rule.text) == (True, "policy DROP")


def test_what_is_perhaps_accepted_is_perhaps_dropped() -> None:
    rules = ("[0:0] -A INPUT -m recent --rcheck -j ACCEPT", "[0:0] -A INPUT -p igmp -j DROP")
    assert certain(dropped(saved(*rules), INPUT, QUERY)) is False


def test_what_is_perhaps_dropped_first_is_dropped_for_certain_later() -> None:
    rules = ("[0:0] -A INPUT -m recent --rcheck -j DROP", "[0:0] -A INPUT -p igmp -j DROP")
    found = dropped(saved(*rules), INPUT, QUERY)
    assert found is not None
    assert (found.is_certain, found.rule.text) == (True, "-p igmp -j DROP")


def test_a_chain_that_is_jumped_to_is_gone_through_and_come_back_from() -> None:
    rules = (
        "[0:0] -A INPUT -p igmp -j LIMITS",
        "[0:0] -A INPUT -p igmp -j DROP",
        "[0:0] -A LIMITS -s 192.0.2.0/24 -j RETURN",
        "[0:0] -A LIMITS -j ACCEPT",
    )
    assert certain(dropped(saved(*rules), INPUT, QUERY)) is True
    from_elsewhere = QUERY._replace(source=packed("10.1.1.1"))
    assert dropped(saved(*rules), INPUT, from_elsewhere) is None


def test_chains_that_jump_in_a_circle_have_an_end() -> None:
    rules = ("[0:0] -A INPUT -j LIMITS", "[0:0] -A LIMITS -j LIMITS")
    assert dropped(saved(*rules, policy="DROP"), INPUT, QUERY) is not None


def test_the_finding_says_how_the_rule_is_shown_and_taken_out() -> None:
    found = dropped(saved("[7:224] -A INPUT -p igmp -j DROP"), INPUT, QUERY)
    assert found is not None
    assert (found.rule.packets, found.rule.delete, found.rule.show) == (
        7,
        "iptables -t filter -D INPUT -p igmp -j DROP",
        "iptables -t filter -L INPUT -v -n",
    )


def match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def field(protocol: str, name: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}


def listed(*expressions: list[Any], hook: str = "input", policy: str = "accept") -> Ruleset:
    """A table of the family inet with one chain."""
    chain = {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": hook}
    named = {"family": "inet", "table": "t", "name": "wanted", "elem": ["239.1.1.1"]}
    objects: list[dict[str, Any]] = [{"metainfo": {}}, {"set": named}]
    objects.append({"chain": chain | {"prio": 0, "policy": policy}})
    for handle, each in enumerate(expressions, 2):
        of = {"family": "inet", "table": "t", "chain": "c", "handle": handle, "expr": each}
        objects.append({"rule": of})
    return Ruleset(tuple(nftables.chains(json.dumps({"nftables": objects}))))


DROP = {"drop": None}
GROUP_IS = field("ip", "daddr")


@pytest.mark.parametrize(
    ("expression", "traffic", "expected"),
    [
        ([match({"meta": {"key": "l4proto"}}, "igmp"), DROP], QUERY, True),
        ([match({"meta": {"key": "l4proto"}}, "igmp"), DROP], MLD_QUERY, None),
        ([match(field("ip", "protocol"), {"set": ["igmp", "udp"]}), DROP], DATA, True),
        ([match(GROUP_IS, {"prefix": {"addr": "239.0.0.0", "len": 8}}), DROP], DATA, True),
        ([match(GROUP_IS, {"range": ["239.1.0.0", "239.2.0.0"]}), DROP], DATA, True),
        ([match(GROUP_IS, "@wanted", "!="), DROP], DATA, None),
        ([match(GROUP_IS, "@wanted", "!="), DROP], QUERY, True),
        ([match(GROUP_IS, "@wanted", "!="), DROP], MLD_QUERY, None),
        ([match(field("udp", "dport"), {"set": [5, {"range": [5000, 6000]}]}), DROP], DATA, True),
        ([match(field("udp", "dport"), 5004), DROP], DATA_OF_ANY_PORT, False),
        ([match(field("tcp", "dport"), 22, "!="), DROP], DATA, None),
        ([match(field("igmp", "type"), "membership-query"), DROP], QUERY, True),
        ([match(field("icmpv6", "type"), {"set": ["mld-listener-query"]}), DROP], MLD_QUERY, True),
        ([match({"meta": {"key": "iifname"}}, "eth1"), DROP], DATA, None),
        ([match({"meta": {"key": "pkttype"}}, "multicast"), {"counter": {"packets": 3}}, DROP],
         DATA, True),
        ([match({"ct": {"key": "state"}}, ["established", "related"], "in"), DROP], DATA, None),
        ([{"limit": {"rate": 5, "per": "second"}}, DROP], DATA, False),
        ([{"log": None}, {"counter": None}, DROP], DATA, True),
        ([{"vmap": {"key": {"ct": {"key": "state"}},
                    "data": {"set": [["established", {"accept": None}], ["new", DROP]]}}}],
         DATA, True),
    ],
)  # fmt: skip
def test_a_rule_of_nftables_is_understood(
    expression: list[Any], traffic: Traffic, expected: bool | None
) -> None:
    assert certain(dropped(listed(expression), way(traffic), traffic)) is expected


def test_a_table_that_iptables_has_shown_is_not_read_twice() -> None:
    objects = [{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input"}}]
    text = json.dumps({"nftables": objects})
    assert len(list(nftables.chains(text))) == 1
    assert list(nftables.chains(text, [("ip", "filter")])) == []


def test_a_rule_of_nftables_is_taken_out_by_its_handle() -> None:
    found = dropped(listed([match(field("igmp", "type"), 17), DROP]), INPUT, QUERY)
    assert found is not None
    assert found.rule.delete == "nft delete rule inet t c handle 2"
    assert found.rule.text == "igmp type 17 drop (handle 2)"


@pytest.mark.parametrize(
    ("device", "expected"),
    [("eth0", True), (["eth1", "eth0"], True), (None, False), ("eth1", None)],
)
@pytest.mark.parametrize("family", ["netdev", "inet"])
def test_a_chain_of_a_device_concerns_that_device(
    family: str, device: Any, expected: bool | None
) -> None:
    """nft 1.0 does not print which it is for: then a drop is possible, and not certain."""
    chain = {"family": family, "table": "t", "name": "c", "hook": "ingress", "prio": 0}
    rule = {"family": family, "table": "t", "chain": "c", "handle": 3}
    drop = [match(field("ip", "protocol"), "igmp"), DROP]
    objects = [
        {"chain": chain | ({"dev": device} if device else {})},
        {"rule": rule | {"expr": drop}},
    ]
    ruleset = Ruleset(tuple(nftables.chains(json.dumps({"nftables": objects}))))

    assert certain(dropped(ruleset, INPUT, QUERY)) is expected
