"""Configuration files: what is read, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.gmp.config import RouterAlertPolicy
from mcastd.gmp.time import seconds
from mcastd.service import config
from mcastd.service.config import Address, ConfigFileError, load, parse_address
from mcastd.service.guard import Guard

WHOLE = """\
[metrics]
listen = "127.0.0.1:9999"
querier_address = true
per_group = 10
[control]
socket = "/tmp/control.sock"
group = "operators"
admin_group = "admins"
[defaults]
igmp_max_version = 2
require_router_alert = "strict"
[interface.eth0]
mode = "host"
mld_max_version = 1
[[interface.eth0.membership]]
group = "232.1.1.1"
sources = ["10.0.0.2"]
[[interface.eth0.membership]]
group = "ff15::1"
[interface."en*"]
igmp_max_version = 3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mcastd.toml"


def test_every_key_is_read(path: Path) -> None:
    path.write_text(WHOLE)

    settings = load(path)

    assert settings.metrics == Address("127.0.0.1", 9999)
    assert (settings.querier_address, settings.per_group) == (True, 10)
    assert (settings.socket, settings.group) == ("/tmp/control.sock", "operators")
    assert settings.admin_group == "admins"
    eth0 = settings.of("eth0")
    assert eth0 is not None
    assert eth0.mode == "host"
    assert (eth0.configs["igmp"].max_version, eth0.configs["mld"].max_version) == (2, 1)
    assert eth0.configs["igmp"].require_router_alert is RouterAlertPolicy.STRICT
    assert [each.group for each in eth0.memberships] == ["232.1.1.1", "ff15::1"]
    assert [each.mode for each in eth0.memberships] == ["include", "exclude"]


def test_an_interface_has_the_settings_of_its_name_or_of_the_first_pattern_that_fits(
    path: Path,
) -> None:
    path.write_text('[interface."e*"]\nrobustness = 3\n[interface."en*"]\n[interface.eno1]\n')
    settings = load(path)

    def robustness(name: str) -> int | None:
        found = settings.of(name)
        return None if found is None else found.configs["igmp"].robustness

    assert [robustness(each) for each in ("eno1", "enp3s0", "eth0", "wlan0")] == [2, 3, 3, None]


def test_the_guard_of_an_interface_is_what_the_defaults_say_but_for_its_own(path: Path) -> None:
    path.write_text(
        "[defaults]\nquery_limit = 10\nreport_limit = 0\ndiscard_floods = false\n"
        "[interface.eth0]\nquery_limit = 20\nquerier_limit = 5\nquerier_burst = 6\n"
        "[interface.eth1]\n"
    )

    guards = {name: each.guard for name, each in load(path).interfaces.items()}

    others = Guard(query_limit=10, report_limit=0, discard_floods=False)
    assert guards["eth1"] == others
    assert guards["eth0"] == others._replace(query_limit=20, querier_limit=5, querier_burst=6)


def test_an_empty_file_is_all_defaults(path: Path) -> None:
    path.write_text("")

    settings = load(path)

    assert settings.metrics == Address("127.0.0.1", 9776)
    assert settings.socket == "/run/mcastd/control.sock"
    assert settings.interfaces == {}


def test_without_a_file_the_command_line_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "DEFAULT_PATH", Path("/nowhere/mcastd.toml"))

    settings = load(None, ("eth0",))

    assert list(settings.interfaces) == ["eth0"]


def test_the_default_file_is_read_if_it_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("[interface.eth7]\n")
    monkeypatch.setattr(config, "DEFAULT_PATH", path)

    assert list(load(None).interfaces) == ["eth7"]


def test_the_command_line_counts_more_than_the_files(path: Path) -> None:
    path.write_text('[interface.eth0]\nmode = "host"\n[interface.eth1]\nmode = "host"\n')

    settings = load(path, ("eth0", "eth2"), {"mode": "observe", "socket": "/tmp/other.sock"})

    modes = {name: each.mode for name, each in settings.interfaces.items()}
    assert modes == {"eth0": "observe", "eth1": "host", "eth2": "observe"}
    assert settings.socket == "/tmp/other.sock"


def test_a_mode_without_interfaces_named_is_for_all(path: Path) -> None:
    path.write_text("[interface.eth0]\n[interface.eth1]\n")

    modes = {each.mode for each in load(path, (), {"mode": "host"}).interfaces.values()}

    assert modes == {"host"}


def test_drop_ins_are_read_in_the_order_of_their_names(path: Path) -> None:
    path.write_text("[interface.eth0]\nrobustness = 2\nquery_interval = 20\n")
    drop_ins = path.with_suffix(".d")
    drop_ins.mkdir()
    (drop_ins / "20.toml").write_text("[interface.eth0]\nrobustness = 5\n")
    (drop_ins / "10.toml").write_text("[interface.eth0]\nrobustness = 4\n[interface.eth1]\n")
    (drop_ins / "30.not-toml").write_text("nonsense")

    settings = load(path)

    assert list(settings.interfaces) == ["eth0", "eth1"]
    eth0 = settings.interfaces["eth0"].configs["igmp"]
    assert (eth0.robustness, eth0.query_interval) == (5, seconds(20))


def test_a_mistake_in_a_drop_in_names_the_drop_in(path: Path) -> None:
    path.write_text("")
    drop_ins = path.with_suffix(".d")
    drop_ins.mkdir()
    (drop_ins / "10.toml").write_text("[interface.eth0]\nrobustness = 1\n")

    with pytest.raises(ConfigFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{drop_ins}/10.toml: interface.eth0.robustness = 1: ")


MISTAKES = [
    ("[metrics", "not TOML: "),
    ("\x00", "not TOML: "),
    ("[metric]", "[metric]: no such section; agent, control, defaults, interface, metrics"),
    ("metrics = 1", "metrics = 1: this is a section: [metrics]"),
    ("interface = 1", "interface = 1: this is a section: [interface]"),
    ("[interface]\neth0 = 1", "interface.eth0 = 1: this is a section: [interface.eth0]"),
    (
        "[agent]\nmax_interfaces = 0",
        "agent.max_interfaces = 0: allowed is a whole number from 1 to",
    ),
    ("[interface.eth0.100]\nmode = 'host'", 'stands in quotes: [interface."eth0.100"]'),
    ("[[interface.eth0.100.membership]]\ngroup = '239.1.1.1'", '[interface."eth0.100"]'),
    ("[interface.eth0.100.200]\nmode = 'host'", '[interface."eth0.100.200"]'),
    ("interface.eth0.100.mode = 'host'", '[interface."eth0.100"]'),
    ("[interface.en*]\nmode = 'host'", 'stands in quotes: [interface."en*"]'),
    ("[ interface.eth0@if5 ]", 'stands in quotes: [interface."eth0@if5"]'),
    ("[interface.'eth0:1']", "label of an address; name its interface: eth0"),
    ("[interface.'eth0,eth1']", 'one section for each interface: [interface."eth0"], [interface.'),
    ("[interface.'eth 0']", "no interface is called so"),
    ("[[interface]]", "interface = [{}]: this is a section: [interface]"),
    ("[metrics]\nlisten = 1", "metrics.listen = 1: allowed is an address and port"),
    ("[metrics]\nlisten = 'eth0:80'", "metrics.listen = 'eth0:80': allowed is an address"),
    ("[metrics]\nlisten = '127.0.0.1'", "metrics.listen = '127.0.0.1': allowed is an address"),
    ("[metrics]\nport = 1", "metrics.port: no such key; listen, web_config, querier_address"),
    ("[metrics]\nper_group = -1", "metrics.per_group = -1: allowed is a whole number from 0"),
    ("[metrics]\nper_group = true", "metrics.per_group = True: allowed is a whole number"),
    ("[metrics]\nquerier_address = 1", "metrics.querier_address = 1: allowed is true or false"),
    ("[control]\nsocket = []", "control.socket = []: allowed is a path"),
    ("[control]\nmode = 'x'", "control.mode: no such key; socket, group, admin_group"),
    ("[defaults]\nmode = 'active'", "defaults.mode = 'active': allowed is observe or host"),
    ("[defaults]\nmode = []", "defaults.mode = []: allowed is observe or host"),
    (
        "[defaults]\nno_such = 1",
        "defaults.no_such = 1: no such key; mode, hook, streams, membership, igmp_max",
    ),
    ("[defaults]\nquery_limits = 1", "report_limit, report_burst, querier_limit, querier_burst"),
    ("[defaults]\nquery_limit = -1", "defaults.query_limit = -1: allowed is a whole number from 0"),
    ("[defaults]\nquery_limit = 1.5", "defaults.query_limit = 1.5: allowed is a whole number"),
    ("[interface.a]\nreport_limit = 1000001", "interface.a.report_limit = 1000001: allowed is a"),
    ("[interface.a]\nreport_limit = true", "interface.a.report_limit = True: allowed is a whole"),
    ("[interface.a]\nquery_burst = 0", "interface.a.query_burst = 0: allowed is a whole number"),
    ("[interface.a]\nreport_burst = '9'", "interface.a.report_burst = '9': allowed is a whole"),
    (
        "[interface.a]\nquerier_limit = 0",
        "interface.a.querier_limit = 0: allowed is a whole",
    ),
    ("[interface.a]\nquerier_burst = []", "interface.a.querier_burst = []: allowed is a whole"),
    ("[interface.a]\ndiscard_floods = 1", "interface.a.discard_floods = 1: allowed is true or fa"),
    ("[interface.a]\nrobustness = 9", "interface.a.robustness = 9: "),
    ("[interface.a]\nrobustness = '2'", "interface.a.robustness = '2': "),
    ("[interface.a]\nmld_max_version = 3", "interface.a.mld_max_version = 3: "),
    ("[interface.a]\nquery_interval = 0", "interface.a.query_interval = 0: "),
    ("[interface.a]\nmembership = 1", "interface.a.membership: write [[interface.NAME.membership"),
    ("[[defaults.membership]]\ngroup = '239.1.1.1'", "defaults.membership: write [[interface."),
    ("[[interface.a.membership]]\ngroups = 1", "keys are group, mode, sources"),
    ("[[interface.a.membership]]\nsources = []", "interface.a.membership = "),
    ("[[interface.a.membership]]\ngroup = '10.0.0.1'", "interface.a.membership = "),
    ("[[interface.a.membership]]\ngroup = 'ff15::1'\nsources = ['10.0.0.1']", "a.membership = "),
    ("[[interface.a.membership]]\ngroup = '239.1.1.1'\nsources = 7", "a.membership = "),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_told_with_file_key_value_and_what_is_allowed(
    path: Path, text: str, said: str
) -> None:
    path.write_text(text)

    with pytest.raises(ConfigFileError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="nowhere: No such file or directory"):
        load(tmp_path / "nowhere")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="Is a directory"):
        load(tmp_path)


def test_a_file_that_is_no_text_is_told(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigFileError, match="not TOML: "):
        load(path)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9776", Address("127.0.0.1", 9776)),
        ("[::1]:80", Address("::1", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[2001:DB8::0]:65535", Address("2001:db8::", 65535)),
    ],
)
def test_an_address_to_listen_at(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", ":80", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "1:-1", "::1"]
)
def test_no_address_to_listen_at(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (which one is the reader's affair)
        parse_address(text)


@pytest.mark.parametrize("choice", ["auto", "xdp", "tc"])
def test_the_hook_is_chosen_for_each_interface(path: Path, choice: str) -> None:
    path.write_text(
        f'[defaults]\nhook = "{choice}"\n[interface.eth0]\n[interface.eth1]\nhook="tc"\n'
    )

    settings = load(path)

    assert settings.interfaces["eth0"].hook.value == choice
    assert settings.interfaces["eth1"].hook.value == "tc"


def test_a_hook_that_there_is_not_is_told(path: Path) -> None:
    path.write_text('[interface.eth0]\nhook = "native"\n')

    with pytest.raises(ConfigFileError, match="hook = 'native': allowed is auto or xdp or tc"):
        load(path)


@pytest.mark.parametrize(
    ("written", "name"),
    [("eth0", "eth0"), ('"eth0.100"', "eth0.100"), ("'a\\b'", r"a\\b"), (r"'\xff0'", r"\xff0")],
)
def test_a_section_is_of_the_interface_that_is_shown_so(
    path: Path, written: str, name: str
) -> None:
    path.write_text(f"[interface.{written}]\nmode = 'host'\n")

    found = load(path).of(name)

    assert found is not None
    assert found.mode == "host"


def test_an_alternative_name_goes_before_a_pattern(path: Path) -> None:
    path.write_text("[interface.'eth*']\n[interface.uplink]\nmode = 'host'\n")
    settings = load(path)

    found = settings.of("eth0", ("enp0s3", "uplink"))

    assert found is not None
    assert found.mode == "host"
    assert settings.of("lan0", ("eth7",)) is None, "patterns are for the device's own name"


def test_a_list_on_the_command_line_is_each_of_its_interfaces(tmp_path: Path) -> None:
    settings = load(None, ("eth0,eth1", "wlan*"))

    assert list(settings.interfaces) == ["eth0", "eth1", "wlan*"]
