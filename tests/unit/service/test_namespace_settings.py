"""[namespace.NAME] sections: what is read, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.fastpath.programs import MAX_INTERFACES as OF_THE_HOST
from mcastd.service import drop_in
from mcastd.service.config import ConfigFileError, Settings, load
from mcastd.service.namespaces.inside import joined, parted
from mcastd.service.namespaces.settings import LONGEST_NAME, MAX_INTERFACES, within
from mcastd.service.state_file import state_directory

WHOLE = """\
[defaults]
robustness = 3
[interface.eth0]
mode = "host"
[namespace.blue]
max_interfaces = 7
[namespace.blue.defaults]
query_interval = 20
[namespace.blue.interface.eth0]
mode = "host"
igmp_max_version = 2
[[namespace.blue.interface.eth0.membership]]
group = "239.1.1.1"
[namespace.red.interface."eth*"]
[namespace.green]
path = "/proc/812/ns/net"
[namespace.green.interface.eth0]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mcastd.toml"


def of(settings: Settings, name: str) -> Settings:
    found = within(settings, name)
    assert found is not None
    return found


def test_a_namespace_has_the_same_keys_as_the_host_and_settings_of_its_own(path: Path) -> None:
    path.write_text(WHOLE)

    settings = load(path)
    blue, red, green = (of(settings, name) for name in ("blue", "red", "green"))

    assert list(settings.interfaces) == ["eth0"]
    assert [each.namespace for each in (settings, blue, red)] == [None, "blue", "red"]
    assert [each.max_interfaces for each in (settings, blue, red)] == [
        OF_THE_HOST, 7, MAX_INTERFACES,
    ]  # fmt: skip
    eth0 = blue.interfaces["eth0"]
    assert (eth0.mode, eth0.configs["igmp"].max_version) == ("host", 2)
    assert [each.group for each in eth0.memberships] == ["239.1.1.1"]
    assert settings.namespaces["green"].path == "/proc/812/ns/net"
    assert list(green.interfaces) == ["eth0"]


def test_the_defaults_of_a_namespace_come_before_those_of_all(path: Path) -> None:
    path.write_text(WHOLE)
    settings = load(path)

    def times(name: str) -> tuple[int, float]:
        (found,) = of(settings, name).interfaces.values()
        return found.configs["igmp"].robustness, found.configs["igmp"].query_interval / 1e9

    assert times("blue") == (3, 20)
    assert times("red") == (3, 125)


def test_who_is_within_a_namespace_serves_no_metrics_and_no_other_namespace(path: Path) -> None:
    path.write_text(WHOLE)
    blue = of(load(path), "blue")
    assert (blue.metrics, dict(blue.namespaces)) == (None, {})


def test_a_pattern_names_namespaces_and_a_name_comes_before_it(path: Path) -> None:
    path.write_text(
        '[namespace."cni-*".interface.eth0]\nrobustness = 3\n'
        '[namespace."cni-*".interface.eth1]\nrobustness = 3\n'
        "[namespace.cni-1.interface.eth0]\nrobustness = 5\n"
    )
    settings = load(path)

    def robustness(name: str) -> dict[str, int]:
        found = of(settings, name).interfaces
        return {each: found[each].configs["igmp"].robustness for each in found}

    assert robustness("cni-2") == {"eth0": 3, "eth1": 3}
    assert robustness("cni-1") == {"eth0": 5, "eth1": 3}
    assert within(settings, "blue") is None


def test_drop_ins_add_to_a_namespace(path: Path) -> None:
    path.write_text("[namespace.blue.interface.eth0]\nrobustness = 3\n")
    drop_ins = path.with_suffix(".d")
    drop_ins.mkdir()
    (drop_ins / "10.toml").write_text(
        '[namespace.blue.interface.eth0]\nmode = "host"\n[namespace.red.interface.eth0]\n'
    )

    settings = load(path)

    eth0 = of(settings, "blue").interfaces["eth0"]
    assert (eth0.mode, eth0.configs["igmp"].robustness) == ("host", 3)
    assert list(settings.namespaces) == ["blue", "red"]


def test_the_command_line_names_interfaces_of_namespaces(path: Path) -> None:
    path.write_text("")

    settings = load(path, ("eth0,blue/eth0", "blue/en*"), {"mode": "host"})

    assert list(settings.interfaces) == ["eth0"]
    blue = of(settings, "blue").interfaces
    assert {name: each.mode for name, each in blue.items()} == {"eth0": "host", "en*": "host"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namespace = 1", "namespace = 1: this is a section: [namespace]"),
        ("[namespace]\nblue = 1", "namespace.blue = 1: this is a section: [namespace.blue]"),
        ("[namespace.blue]\nmode = 'host'", "namespace.blue.mode = 'host': no such key; path, max"),
        (
            "[namespace.blue.eth0]",
            "no such key; path, max_interfaces, defaults, interface; an interface's section is "
            "[namespace.blue.interface.eth0]",
        ),
        ("[namespace.blue]\ninterface = 1", "namespace.blue.interface = 1: no such key"),
        (
            "[namespace.blue.interface]\neth0 = 1",
            "namespace.blue.interface.eth0 = 1: this is a section: [namespace.blue.interface.eth0]",
        ),
        ("[namespace.blue.interface.'a/b']", 'interface."a/b"]: no interface is called so'),
        (
            "[namespace.blue.interface.eth0.100]\nmode = 'host'",
            'stands in quotes: [namespace.blue.interface."eth0.100"]',
        ),
        (
            "[namespace.blue.interface.eth0]\nrobustness = 9",
            "namespace.blue.interface.eth0.robustness = 9: ",
        ),
        ("[namespace.blue.defaults]\nrobustness = 9", "namespace.blue.defaults.robustness = 9: "),
        ("[[namespace.blue.defaults.membership]]\ngroup = '239.1.1.1'", "write [[interface."),
        ("[namespace.blue]\nmax_interfaces = 0", "namespace.blue.max_interfaces = 0: allowed is a"),
        ("[namespace.blue]\nmax_interfaces = true", "max_interfaces = True: allowed is a whole"),
        ("[namespace.blue]\npath = 7", "namespace.blue.path = 7: allowed is the absolute path"),
        ("[namespace.blue]\npath = 'ns/net'", "path = 'ns/net': allowed is the absolute path"),
        ('[namespace.blue]\npath = "/a\\u0000b"', "allowed is the absolute path"),
        ("[namespace.'b*']\npath = '/proc/1/ns/net'", "allowed is the absolute path of one"),
        ("[namespace.'']", "no namespace is called so"),
        ("[namespace.'.']", "no namespace is called so"),
        ("[namespace.'..']", "no namespace is called so"),
        ("[namespace.'../blue']", "no namespace is called so"),
        ("[namespace.'blue/eth0']", "no namespace is called so"),
        ('[namespace."a\\u0000"]', "no namespace is called so"),
        ("[namespace.'blue,red']", "one section for each namespace"),
        (f"[namespace.{'x' * (LONGEST_NAME + 1)}]", f"at most {LONGEST_NAME} bytes"),
        ("[agent]\nmax_namespaces = 0", "agent.max_namespaces = 0: allowed is a whole number"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigFileError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("given", ["../eth0", "./eth0", "blue/", "blue/a/b", "blue/eth0:1"])
def test_what_no_interface_of_a_namespace_is_called_is_refused(path: Path, given: str) -> None:
    path.write_text("")
    with pytest.raises(ConfigFileError, match="-i"):
        load(path, (given,))


def test_a_name_that_is_no_text_is_written_as_it_is_shown(path: Path) -> None:
    path.write_text('[namespace."\\\\xff0".interface.eth0]\n')
    assert list(load(path).namespaces) == ["\\xff0"]


def test_a_namespaces_interface_is_told_from_the_hosts() -> None:
    assert parted("blue/eth0") == ("blue", "eth0")
    assert parted("blue/") == ("blue", "")
    assert parted("eth0") == (None, "eth0")
    assert (joined("blue", "eth0"), joined(None, "eth0")) == ("blue/eth0", "eth0")


def test_state_and_what_is_kept_of_a_namespace_are_its_own(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    path.write_text("[interface.eth0]\n[namespace.blue.interface.eth0]\n")

    assert state_directory() == tmp_path
    assert state_directory("blue") == tmp_path / "namespaces" / "blue"
    kept = [
        drop_in.write(path, "eth0", {"igmp_max_version": 2}, namespace)
        for namespace in ("blue", "red", None)
    ]

    assert len({*kept}) == 3
    settings = load(path)
    versions = {
        name: of(settings, name).interfaces["eth0"].configs["igmp"].max_version
        for name in ("blue", "red")
    }
    assert versions == {"blue": 2, "red": 2}
