"""SIGHUP: a new configuration is taken over, a bad one leaves everything as it was."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from mcastd_lab import Member
from support.flood import igmp_frames
from support.lab import (
    ATTACHED,
    Cable,
    Filter,
    expect_filter,
    interface,
    programs_on,
    received,
    scrape,
)
from support.waiting import eventually

pytestmark = pytest.mark.lab

QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3").frame


@pytest.fixture
def configuration(cable: Cable, tmp_path: Path) -> Path:
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\n")
    cable.agent = cable.lab.agent(cable.host, "-c", path, "--metrics", "127.0.0.1:9776")
    return path


def reload(cable: Cable, said: str) -> None:
    """Until the agent has said so."""
    before = cable.agent.log().count(said)
    cable.agent.reload()
    eventually(lambda: cable.agent.log().count(said) > before, what=said)


def test_a_good_file_is_taken_over_at_once(cable: Cable, configuration: Path) -> None:
    cable.wire.send(QUERY)
    eventually(lambda: received(cable.agent).get("igmp query 3") == 1)
    configuration.write_text("[interface.eth0]\nigmp_max_version = 2\n")

    reload(cable, "configuration read")

    found = interface(cable.agent)
    assert (found["igmp"]["configured_max_version"], found["mld"]["max_version"]) == (2, 2)
    assert found["hook"] == "xdp-native"
    assert received(cable.agent) == received(cable.agent) | {"igmp query 3": 1}


def test_the_programs_read_by_the_new_rules(cable: Cable, configuration: Path) -> None:
    alerting = next(
        each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp no_router_alert"
    )
    cable.wire.send(alerting.frame)
    eventually(lambda: received(cable.agent).get("igmp query 3") == 1)
    configuration.write_text('[defaults]\nrequire_router_alert = "strict"\n[interface.eth0]\n')

    reload(cable, "configuration read")
    cable.wire.send(alerting.frame)

    eventually(lambda: received(cable.agent).get("igmp no_router_alert") == 1)
    assert received(cable.agent)["igmp query 3"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[interface.eth0]\nigmp_max_version = 4\n", "interface.eth0.igmp_max_version = 4: "),
        ("[interface.eth0]\nno_such_key = 1\n", "interface.eth0.no_such_key"),
        ("[interface.eth0\n", "not TOML: "),
        ("[metrics]\nlisten = 7\n", "metrics.listen = 7: allowed is "),
    ],
)
def test_a_bad_file_leaves_the_running_configuration(
    cable: Cable, configuration: Path, text: str, said: str
) -> None:
    configuration.write_text(text)

    reload(cable, "the running configuration stays")

    assert f"{configuration}: " in cable.agent.log()
    assert said in cable.agent.log()
    found = interface(cable.agent)
    assert (found["igmp"]["max_version"], found["hook"]) == (3, "xdp-native")


def test_interfaces_are_taken_up_and_given_up(cable: Cable, configuration: Path) -> None:
    cable.host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "far")
    configuration.write_text("[interface.eth1]\n")

    reload(cable, "configuration read")

    assert interface(cable.agent) == {}
    assert interface(cable.agent, "eth1")["hook"] == "xdp-native"
    assert programs_on(cable.host, "eth0") == {}
    configuration.write_text("[interface.eth0]\n[interface.eth1]\n")
    reload(cable, "configuration read")
    assert programs_on(cable.host, "eth0") == ATTACHED


def test_the_time_of_the_last_good_reload_is_a_metric(cable: Cable, configuration: Path) -> None:
    metric = "mcastd_config_last_reload_success_timestamp_seconds"

    def when() -> float:
        text = scrape(cable.host).text
        (line,) = [each for each in text.splitlines() if each.startswith(metric + " ")]
        return float(line.split()[1])

    before = when()
    configuration.write_text("nonsense")
    reload(cable, "the running configuration stays")
    assert when() == before
    configuration.write_text("[interface.eth0]\n")
    reload(cable, "configuration read")
    assert when() > before


def test_the_groups_with_most_state_are_metrics_when_they_are_asked_for(
    cable: Cable, configuration: Path
) -> None:
    filters = {
        "239.1.1.1": (),
        "232.1.1.1": ("198.51.100.1",),
        "232.1.1.2": ("198.51.100.1", "198.51.100.2"),
        "ff3e::1:1": ("2001:db8::1", "2001:db8::2", "2001:db8::3"),
    }
    member = cable.lab.keep(Member(cable.host, "eth0"))
    for group, sources in filters.items():
        if not sources:
            member.join(group)
        for source in sources:
            member.join_source(group, source)
        expect_filter(cable.agent, group, Filter("include" if sources else "exclude", sources))
    metrics = ("mcastd_group_sources", "mcastd_group_last_report_timestamp_seconds")
    assert not any(each in scrape(cable.host).text for each in metrics)
    configuration.write_text("[metrics]\nper_group = 2\n[interface.eth0]\n")

    reload(cable, "configuration read")

    def are_shown() -> bool:
        text = scrape(cable.host).text
        return all(text.count(f"{metric}{{") == 2 for metric in metrics)

    eventually(are_shown)  # the reports come when the kernel sends them
    shown = scrape(cable.host)
    first = {"interface": "eth0", "protocol": "mld", "group": "ff3e::1:1"}
    second = {"interface": "eth0", "protocol": "igmp", "group": "232.1.1.2"}
    assert shown.value(metrics[0], **first, mode="include") == 3
    assert shown.value(metrics[0], **second, mode="include") == 2
    assert abs(shown.value(metrics[1], **first) - time.time()) < 60


def test_drop_ins_count_after_the_file(cable: Cable, configuration: Path) -> None:
    drop_ins = configuration.with_suffix(".d")
    drop_ins.mkdir()
    (drop_ins / "10-older.toml").write_text("[interface.eth0]\nigmp_max_version = 1\n")
    (drop_ins / "20-newer.toml").write_text("[interface.eth0]\nigmp_max_version = 2\n")

    reload(cable, "configuration read")

    assert interface(cable.agent)["igmp"]["configured_max_version"] == 2


def test_what_the_host_receives_is_not_forgotten(cable: Cable, configuration: Path) -> None:
    cable.lab.keep(Member(cable.host, "eth0")).join_source("232.1.1.1", "198.51.100.1")
    expect_filter(cable.agent, "232.1.1.1", Filter("include", ("198.51.100.1",)))

    reload(cable, "configuration read")

    expect_filter(cable.agent, "232.1.1.1", Filter("include", ("198.51.100.1",)))
