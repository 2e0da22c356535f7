"""Which settings a reload cannot put in force, and what a start would be refused for."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.cli import check_config, mcastd
from mcastd.service.config import KEYS, ConfigFileError, Settings, load, parse_address
from mcastd.service.restart import AT_START, check_machine, needs_restart

AT_ONCE = {
    "querier_address", "per_group", "per_stream", "memberships", "metrics_clients",
    "gone_interfaces", "admin_group", "clients", "clients_per_user",
}  # fmt: skip
"""Read anew whenever they are needed."""


def test_every_key_is_in_force_at_once_or_said_to_need_a_restart() -> None:
    assert {key.field for key in KEYS.values()} == AT_START | AT_ONCE


def test_what_needs_a_restart_is_named_as_the_files_name_it() -> None:
    started = Settings(group="mcastd")
    changed = started._replace(metrics=parse_address("127.0.0.1:1"), per_group=3, group=None)
    assert needs_restart(started, changed) == ["metrics.listen", "control.group"]
    assert needs_restart(started, started) == []


def test_streams_need_a_restart_where_their_programs_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\n")
    without = load(path)
    path.write_text("[interface.eth0]\nstreams = true\n")
    counting = load(path)
    path.write_text("[streams]\nmax_streams = 7\n[interface.eth0]\nstreams = true\n")
    fewer = load(path)
    assert needs_restart(without, counting) == ["streams"]
    assert needs_restart(counting, fewer) == ["streams.max_streams"]
    assert needs_restart(counting, without) == []


REFUSED = [
    ('[control]\ngroup = "no-such-group"\n', "control.group = 'no-such-group'"),
    (f'[control]\nsocket = "/{"x" * 200}"\n', "control.socket: a path has at most 107 bytes"),
    ('[metrics]\nlisten = "203.0.113.77:9776"\n', "203.0.113.77 is no address of this machine"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_check_config_refuses_what_a_start_would_be_refused_for(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text(text)
    with pytest.raises(ConfigFileError, match="mcastd"):
        check_machine(load(path))
    assert mcastd.main(["check-config", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_reason_not_to_start_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text('[control]\nadmin_group = "no-such-group"\n')
    assert mcastd.main(["check-config", str(path)]) == 0
    complaints = capsys.readouterr().err
    assert "control.admin_group = 'no-such-group': there is no such group" in complaints
    assert "no interface is named" in complaints
    assert check_config.__doc__


ANY_SOURCE = '[[interface.eth0.membership]]\ngroup = "232.1.1.1"\n'


@pytest.mark.parametrize("allowed", ["ssm_enforce = false", "ssm_ranges = []"])
@pytest.mark.parametrize("section", ["defaults", "interface.eth0"])
def test_a_membership_is_judged_by_the_tunables_that_the_running_agent_has(
    allowed: str, section: str, tmp_path: Path
) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text(f"[{section}]\n{allowed}\n{ANY_SOURCE}")
    assert load(path).interfaces["eth0"].memberships[0].group == "232.1.1.1"


def test_a_membership_is_refused_with_the_file_that_has_it(tmp_path: Path) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\nmax_sources_per_filter = 64\n")
    late = tmp_path / "mcastd.d" / "10-more.toml"
    late.parent.mkdir()
    late.write_text(ANY_SOURCE + f"sources = {[f'192.0.2.{each}' for each in range(65)]}\n")
    with pytest.raises(
        ConfigFileError, match=r"10-more.toml: interface.eth0.membership.*65 sources"
    ):
        load(path)
    late.write_text(ANY_SOURCE)
    with pytest.raises(ConfigFileError, match=r"10-more.toml.*source-specific"):
        load(path)


def test_what_was_kept_of_one_interface_adds_to_its_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path, kept = tmp_path / "mcastd.toml", tmp_path / "state" / "mcastd.d" / "90-mcastctl.toml"
    path.write_text('[interface."eth*"]\nmode = "host"\nquery_limit = 7\n[interface."eth1"]\n')
    kept.parent.mkdir(parents=True)
    kept.write_text(
        "[interface.eth0]\nigmp_max_version = 2\n[interface.eth1]\nmld_max_version = 1\n"
    )

    settings = load(path)

    eth0, eth1 = settings.interfaces["eth0"], settings.interfaces["eth1"]
    assert (eth0.mode, eth0.guard.query_limit, eth0.configs["igmp"].max_version) == ("host", 7, 2)
    assert (eth1.mode, eth1.configs["mld"].max_version) == ("observe", 1)
