"""What the host itself does to multicast: each fault is real, found by its name, and mended as
told; without it nothing is found."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.ailing import Patient, Sender, has, joined, sending
from support.host_lab import ANY, HostLab, host_lab
from support.lab import mcastctl, run_in
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP, PORT = "239.1.1.1", 5004
FAR = "10.9.9.9"
"""A source that is on no link of the host."""

needs_iptables = pytest.mark.skipif(not has("iptables"), reason="iptables cannot be used")
needs_nft = pytest.mark.skipif(not has("nft"), reason="nft cannot be used")


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        made.host.sysctl({"ipv4.conf.eth0.rp_filter": 0})
        yield made


@pytest.fixture(scope="module")
def patient(net: HostLab, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """Observed, with its streams counted."""
    settings = tmp_path_factory.mktemp("settings") / "mcastd.toml"
    settings.write_text("[streams]\nstalled_after = 3600\n")
    return Patient(net, net.agent("-c", settings, mode="observe"))


@pytest.fixture
def sender(net: HostLab) -> Iterator[Sender]:
    made = Sender(net.switch, "br0")
    yield made
    made.close()


def ip_tables(patient: Patient, *arguments: str, tool: str = "iptables") -> None:
    done = run_in(patient.host, tool, *arguments)
    assert done.returncode == 0, done.stderr


def mend(patient: Patient, remedy: str, before: str = ": ") -> None:
    """Runs the first command of a remedy."""
    patient.run(remedy.partition(before)[2].partition(";")[0])


@pytest.mark.parametrize("mode", ["observe", "host"])
def test_a_healthy_host_is_told_so_in_three_lines(net: HostLab, mode: str) -> None:
    agent = net.agent(mode=mode)
    member = net.member()
    member.join(GROUP)
    member.join("ff15::1")
    member.join_source("232.1.1.1", FAR)
    net.expect({GROUP: ANY, "ff15::1": ANY, "232.1.1.1": ("include", frozenset({FAR}))})
    net.sniffer.queries()
    eventually(lambda: agent.ask("querier")[0]["queriers"], what="a querier")

    for arguments in ((), ("eth0",), ("eth0", GROUP), ("eth0", "ff15::1")):
        done = mcastctl(agent, "doctor", *arguments)
        assert done.returncode == 0, done.stdout
        lines = [each for each in done.stdout.splitlines() if not each.startswith("note: ")]
        assert len(lines) == 3, done.stdout
        assert lines[0].startswith("looked at eth0: ")
        assert lines[2] == "nothing found"
    member.close()
    agent.close()


def test_a_source_that_is_not_routed_is_named_and_so_is_its_route(
    patient: Patient, sender: Sender
) -> None:
    patient.host.sysctl({"ipv4.conf.eth0.rp_filter": 1})
    with joined(patient.host, GROUP, PORT) as sock:
        sock.setblocking(False)
        found = sending(
            lambda: sender.send(GROUP, source=FAR),
            lambda: [each for each in patient.of_kind("rp_filter") if each["group"] == GROUP],
            "rp_filter",
        )[0]
        assert (found["interface"], found["group"]) == ("eth0", GROUP)
        assert f"{FAR} sends to {GROUP}" in found["text"]
        assert patient.stops(GROUP) == ["rp_filter"]
        with pytest.raises(BlockingIOError):
            sock.recv(100)

        mend(patient, found["remedy"])

        patient.is_over("rp_filter")
        sender.send(GROUP, source=FAR)
        sock.settimeout(20)
        assert sock.recv(100) == b"data"
    patient.host.ip("route", "del", f"{FAR}/32", "dev", "eth0")
    patient.host.sysctl({"ipv4.conf.eth0.rp_filter": 0})
    patient.is_healthy()


def test_rp_filter_is_seen_by_its_counter_where_no_source_is_known(
    net: HostLab, sender: Sender
) -> None:
    net.host.sysctl({"ipv4.conf.eth0.rp_filter": 1})
    blind = Patient(net, net.agent(mode="observe"))
    with joined(net.host, GROUP, PORT):
        found = sending(
            lambda: sender.send(GROUP, source=FAR),
            lambda: blind.of_kind("rp_filter"),
            "rp_filter",
        )[0]
        assert "of which source is not known" in found["text"]
        blind.shows(
            found | {"evidence": found["evidence"][:1]} if has("nstat") else {"evidence": []}
        )
    blind.agent.close()
    net.host.sysctl({"ipv4.conf.eth0.rp_filter": 0})


@pytest.mark.parametrize("tool", ["iptables", "iptables-legacy"])
def test_a_firewall_that_drops_reports_is_named_with_its_rule(patient: Patient, tool: str) -> None:
    """By both kinds of iptables: the older one has tables of its own, which others do not show."""
    if not has(tool):
        pytest.skip(f"{tool} cannot be used")
    ip_tables(patient, "-A", "OUTPUT", "-p", "igmp", "-j", "DROP", tool=tool)
    with joined(patient.host, GROUP):
        found = patient.diagnosed("firewall_out")
        assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
        assert found["remedy"].partition(": ")[2].startswith(f"{tool} ")
        patient.shows(found)
        silent = patient.diagnosed("reports_do_not_leave")
        assert silent["group"] == GROUP
        assert "not_joined" not in patient.faults(name="eth0", group=GROUP)
        walked = mcastctl(patient.agent, "doctor", "eth0", GROUP).stdout
        assert f"the way of {GROUP} on eth0:" in walked
        assert walked.endswith("it stops first at: reported\n")
        assert patient.stops(GROUP)[0] == "reported"

        mend(patient, found["remedy"])

        patient.is_over("firewall_out")
        patient.is_over("reports_do_not_leave")
    patient.is_healthy()


@needs_iptables
def test_a_group_of_which_reports_no_longer_leave_is_named(patient: Patient) -> None:
    """It was reported before; a query of a group's own way is what asks for the next report."""
    with joined(patient.host, GROUP):

        def reported() -> bool:
            found = patient.agent.ask("groups", name="eth0", group=GROUP)
            return bool(found and found[0]["last_reported"] is not None)

        eventually(reported, what="a report")
        ip_tables(patient, "-A", "OUTPUT", "-p", "igmp", "-j", "DROP")
        found = patient.diagnosed("not_reported", name="eth0", group=GROUP)
        assert (found["interface"], found["group"]) == ("eth0", GROUP)
        assert "was not reported since the last query" in found["text"]

        ip_tables(patient, "-D", "OUTPUT", "-p", "igmp", "-j", "DROP")

        patient.is_over("not_reported", name="eth0", group=GROUP)
    patient.is_healthy()


@needs_iptables
def test_a_firewall_that_drops_queries_is_named_and_its_harm_has_an_end(patient: Patient) -> None:
    """Three queries answered in time, and it is over."""
    with joined(patient.host, GROUP):
        ip_tables(patient, "-A", "INPUT", "-p", "igmp", "-j", "DROP")
        found = patient.diagnosed("firewall_in")
        assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
        unanswered = patient.diagnosed("queries_unanswered")
        assert unanswered["protocol"] == "igmp"
        assert "answered" in patient.stops(GROUP)

        mend(patient, found["remedy"])

        patient.is_over("firewall_in")
        patient.is_over("queries_unanswered")
        assert mcastctl(patient.agent, "doctor").returncode == 0
    patient.is_healthy()


@needs_nft
def test_a_rule_of_nftables_that_drops_a_stream_is_named(patient: Patient, sender: Sender) -> None:
    nft = ("nft", "add")
    run_in(patient.host, *nft, "table", "inet", "guard")
    run_in(
        patient.host, *nft, "chain", "inet", "guard", "entry",
        "{ type filter hook input priority 0 ; }",
    )  # fmt: skip
    rule = ("ip", "daddr", "239.0.0.0/8", "udp", "dport", str(PORT), "counter", "drop")
    assert run_in(patient.host, *nft, "rule", "inet", "guard", "entry", *rule).returncode == 0
    with joined(patient.host, GROUP, PORT):
        found = sending(
            lambda: sender.send(GROUP),
            lambda: patient.of_kind("firewall_data"),
            "firewall_data",
        )[0]
        found = eventually(
            lambda: [e for e in patient.of_kind("firewall_data") if e["severity"] == "fault"],
            what="a stream that is known",
        )[0]
        assert found["group"] == GROUP
        assert "matched" in found["evidence"][0]["shows"]
        assert patient.stops(GROUP) == ["firewall"]
        patient.shows(found)

        mend(patient, found["remedy"])

        patient.is_over("firewall_data")
    run_in(patient.host, "nft", "delete", "table", "inet", "guard")
    patient.is_healthy()


def test_a_socket_that_is_at_the_limit_of_groups_is_named(patient: Patient) -> None:
    patient.host.sysctl({"ipv4.igmp_max_memberships": 5})
    member = patient.net.member()
    for each in range(1, 6):
        member.join(f"239.1.2.{each}")
    with pytest.raises(OSError, match=r".*") as refused:
        member.join("239.1.2.6")
    assert refused.value.errno == errno.ENOBUFS

    found = patient.diagnosed("memberships_limit")
    assert "has joined 5 groups by one socket, and no more are allowed" in found["text"]
    patient.shows(found)
    patient.run(found["remedy"].partition(" (")[0])
    patient.is_over("memberships_limit")
    member.join("239.1.2.6")

    member.close()
    patient.host.sysctl({"ipv4.igmp_max_memberships": 2000})
    patient.is_healthy()


def test_a_filter_that_is_at_the_limit_of_sources_is_named(patient: Patient) -> None:
    patient.host.sysctl({"ipv4.igmp_max_msf": 4})
    member = patient.net.member()
    for each in range(1, 5):
        member.join_source("232.1.1.1", f"10.0.0.{each}")

    found = patient.diagnosed("sources_limit")
    assert "names 4 sources for 232.1.1.1" in found["text"]
    patient.shows(found)
    patient.run(found["remedy"].partition(" (")[0])
    patient.is_over("sources_limit")

    member.close()
    patient.host.sysctl({"ipv4.igmp_max_msf": 4096})
    patient.is_healthy()


def test_a_program_that_does_not_read_is_named_with_what_it_lost(
    patient: Patient, sender: Sender
) -> None:
    patient.findings()
    with joined(patient.host, GROUP, PORT, room=2048):

        def burst() -> None:
            for _ in range(50):
                sender.send(GROUP, bytes(1000))

        found = sending(burst, lambda: patient.of_kind("socket_overflow"), "an overflow")[0]
        assert f"port {PORT}" in found["text"]
        assert "(pid " in found["text"]
        patient.diagnosed("socket_overflow")
        assert patient.stops(GROUP) == ["sockets"]
    patient.is_over("socket_overflow")
    patient.is_healthy()


OTHER = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("", int(sys.argv[2])))
index = socket.if_nametoindex("eth0").to_bytes(4, sys.byteorder)
sock.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(sys.argv[1]) + bytes(4) + index)
print("joined", flush=True)
sys.stdin.readline()
"""

IP_MULTICAST_ALL = 49


def test_a_port_that_is_shared_with_another_group_is_named(
    patient: Patient, sender: Sender
) -> None:
    with patient.host.entered():
        other = subprocess.Popen(
            [sys.executable, "-c", OTHER, "239.1.1.9", str(PORT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == b"joined\n"
    try:
        with joined(patient.host, GROUP, PORT) as sock:
            patient.diagnosed("shared_port")
            (found,) = (e for e in patient.of_kind("shared_port") if e["group"] == "239.1.1.9")
            assert f"(pid {other.pid}) has joined" in found["text"]
            sock.settimeout(20)
            sending(lambda: sender.send("239.1.1.9"), lambda: sock.recv(100), "the other's data")

            sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)

            eventually(
                lambda: "239.1.1.9" not in {e["group"] for e in patient.of_kind("shared_port")},
                what="an end of it for this socket",
            )
    finally:
        other.communicate(b"\n")
    patient.is_over("shared_port")
    patient.is_healthy()


def test_a_raw_socket_of_igmp_alone_is_no_fault(patient: Patient) -> None:
    with (
        patient.host.entered(),
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP),
    ):
        (found,) = patient.of_kind("raw_igmp_socket")
        assert found["severity"] == "note"
        assert mcastctl(patient.agent, "doctor").returncode == 0
    assert patient.of_kind("raw_igmp_socket") == []


def test_a_second_agent_is_noticed(patient: Patient) -> None:
    second = patient.net.agent(mode="observe")
    found = patient.diagnosed("second_agent")
    assert found["text"].startswith("2 agents run eth0")

    second.close()

    patient.is_over("second_agent")
    patient.is_healthy()


def test_an_interface_that_is_configured_and_missing_is_named(net: HostLab, tmp_path: Path) -> None:
    settings = tmp_path / "mcastd.toml"
    settings.write_text("[interface.eth0]\n[interface.eth77]\n")
    agent = net.agent("-c", settings, mode="")
    patient = Patient(net, agent)

    assert patient.diagnosed("interface_missing")["interface"] == "eth77"
    net.host.ip("link", "add", "eth77", "type", "veth", "peer", "name", "eth78")
    net.host.ip("link", "set", "eth78", "up")
    net.host.ip("link", "set", "eth77", "up")

    patient.is_over("interface_missing")
    agent.close()
    net.host.ip("link", "del", "eth77")


def test_multicast_switched_off_is_named(patient: Patient) -> None:
    patient.host.ip("link", "set", "eth0", "multicast", "off")
    found = patient.diagnosed("multicast_off")
    patient.shows(found)

    patient.run(found["remedy"])

    patient.is_over("multicast_off")
    patient.is_healthy()


def test_a_link_that_is_down_is_named(patient: Patient) -> None:
    patient.host.ip("link", "set", "eth0", "down")
    found = patient.diagnosed("link_down")
    assert patient.stops(GROUP)[0] == "interface"
    patient.shows(found)

    patient.run(found["remedy"].partition("or: ")[2])

    patient.is_over("link_down")
    patient.is_healthy()


def test_a_forced_version_is_blamed_and_nobody_else(patient: Patient) -> None:
    key = "ipv4.conf.eth0.force_igmp_version"
    patient.host.sysctl({key: 2})
    found = patient.diagnosed("version_forced")
    assert "net/ipv4/conf/eth0/force_igmp_version = 2" in found["text"]
    with joined(patient.host, GROUP):
        eventually(lambda: patient.net.kernel_version() == "V2", what="the kernel in version 2")
        assert patient.of_kind("kernel_fell_back") == []
        assert patient.of_kind("older_querier") == []

        patient.run(found["remedy"].partition(";")[0])

        patient.is_over("version_forced")
    patient.is_healthy()


def test_a_group_is_joined_on_another_interface(patient: Patient, sender: Sender) -> None:
    patient.host.ip("link", "add", "side0", "type", "veth", "peer", "name", "side1")
    patient.host.ip("link", "set", "side1", "up")
    patient.host.ip("link", "set", "side0", "up")
    agent = patient.net.agent("-i", "side0", mode="observe")
    asked = Patient(patient.net, agent)
    try:
        with ExitStack() as stack:
            stack.enter_context(joined(patient.host, "239.1.1.7", name="side0"))
            found = asked.diagnosed("joined_elsewhere", name="eth0", group="239.1.1.7")
            assert "is joined on side0 by " in found["text"]
            assert "(pid " in found["text"]
            stack.enter_context(joined(patient.host, "239.1.1.7"))
            asked.is_over("joined_elsewhere", name="eth0", group="239.1.1.7")
    finally:
        agent.close()
        patient.host.ip("link", "del", "side0")
    assert patient.faults(name="eth0", group="239.1.1.77") == ["not_joined"]
    assert patient.stops("239.1.1.77") == ["joined"]
    patient.is_healthy()


def test_an_any_source_join_of_a_source_specific_group_is_named(patient: Patient) -> None:
    with joined(patient.host, "232.1.1.9"):
        found = patient.diagnosed("any_source_in_ssm")
        assert found["group"] == "232.1.1.9"
    patient.is_over("any_source_in_ssm")
    patient.is_healthy()


def test_what_the_agent_may_not_tell_is_not_said_to_be_told(net: HostLab, tmp_path: Path) -> None:
    """An any-source membership of a source-specific group never leaves the host."""
    settings = tmp_path / "mcastd.toml"
    settings.write_text('[interface.eth0]\nmode = "host"\nssm_enforce = false\n')
    agent = net.agent("-c", settings, mode="")
    patient = Patient(net, agent)
    assert mcastctl(agent, "join", "eth0", "232.1.1.9", "--name", "tuner").returncode == 0
    assert mcastctl(agent, "join", "eth0", "239.1.1.9", "--name", "tuner").returncode == 0

    assert "tuner" in patient.diagnosed("any_source_in_ssm")["text"]
    net.expect({"239.1.1.9": ANY})

    def queries() -> int:
        heard = agent.ask("querier", name="eth0")[0]["queriers"]
        return sum(each["queries"] for each in heard)

    before = queries()
    eventually(lambda: queries() > before + 1, what="two more queries")
    (told,) = agent.ask("groups", name="eth0", group="239.1.1.9")
    (untold,) = agent.ask("groups", name="eth0", group="232.1.1.9")
    assert told["last_reported"] is not None
    assert untold["last_reported"] is None
    for group in ("232.1.1.9", "239.1.1.9"):
        mcastctl(agent, "leave", "eth0", group, "--name", "tuner")
    agent.close()


# Last: that of the host's counters is told for a minute.


def test_fragments_that_are_missing_are_counted(net: HostLab, sender: Sender) -> None:
    """Only the first of two comes; the kernel waits for the other one for ipfrag_time."""
    net.host.sysctl({"ipv4.ipfrag_time": 1})
    agent = net.agent(mode="observe")
    patient = Patient(net, agent)
    patient.findings()
    more_fragments = 0x2000
    with joined(net.host, GROUP, PORT):
        sending(
            lambda: sender.send(GROUP, bytes(1000), bits=more_fragments),
            lambda: patient.of_kind("fragments_lost"),
            "a fragment that is missed",
        )
        patient.diagnosed("fragments_lost")
    agent.close()
    net.host.sysctl({"ipv4.ipfrag_time": 30})


@pytest.mark.parametrize("tool", ["ip6tables", "nft inet", "nft ip6"])
def test_a_firewall_that_drops_mld_is_named_whatever_its_tool(patient: Patient, tool: str) -> None:
    """Reports that go out: what the rule asks is of ICMPv6, and IGMP is not concerned."""
    command, _, family = tool.partition(" ")
    if not has(command):
        pytest.skip(f"{command} cannot be used")
    if family:
        rules = (
            f"add table {family} guard",
            f"add chain {family} guard leaving {{ type filter hook output priority 0 ; }}",
            f"add rule {family} guard leaving icmpv6 type mld2-listener-report counter drop",
        )
        for rule in rules:
            done = run_in(patient.host, "nft", rule)
            assert done.returncode == 0, done.stderr
    else:
        arguments = ("-A", "OUTPUT", "-p", "icmpv6", "--icmpv6-type", "143", "-j", "DROP")
        done = run_in(patient.host, command, *arguments)
        assert done.returncode == 0, done.stderr
    member = patient.net.member()
    member.join("ff15::9")
    found = patient.diagnosed("firewall_out")
    assert (found["interface"], found["protocol"]) == ("eth0", "mld")
    assert {each["protocol"] for each in patient.of_kind("firewall_out")} == {"mld"}
    patient.shows(found)

    mend(patient, found["remedy"])

    patient.is_over("firewall_out")
    member.close()
    if family:
        run_in(patient.host, "nft", "delete", "table", family, "guard")
    patient.is_over("reports_do_not_leave")
    patient.is_healthy()


@needs_nft
def test_queries_dropped_at_the_device_itself_are_named(patient: Patient) -> None:
    """By a chain of the family netdev, which stands before all others; nft 1.0 does not print its
    device, so that the drop is a note there, and a fault where it is printed."""
    rules = (
        "add table netdev guard",
        "add chain netdev guard entry { type filter hook ingress device eth0 priority 0 ; }",
        "add rule netdev guard entry ip protocol igmp counter drop",
    )
    for rule in rules:
        done = run_in(patient.host, "nft", rule)
        assert done.returncode == 0, done.stderr
    found = eventually(lambda: patient.of_kind("firewall_in"), what="firewall_in")[0]
    assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
    assert "netdev guard entry" in found["text"]

    mend(patient, found["remedy"])

    patient.is_over("firewall_in")
    run_in(patient.host, "nft", "delete", "table", "netdev", "guard")
    patient.is_healthy()


def test_a_group_that_all_hosts_have_is_a_note(patient: Patient) -> None:
    member = patient.net.member()
    member.join("224.0.0.1")
    found = eventually(
        lambda: patient.of_kind("never_reported", name="eth0", group="224.0.0.1"),
        what="never_reported",
    )[0]
    assert found["severity"] == "note"
    assert patient.faults(name="eth0", group="224.0.0.1") == []
    member.close()
