"""What `mcastctl version --persist` keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.service import config, drop_in
from mcastd.service.interface_settings import KEPT_BY_HAND

NAME = f"{KEPT_BY_HAND}.toml"


def test_it_is_read_with_the_configuration(tmp_path: Path) -> None:
    main = tmp_path / "mcastd.toml"
    main.write_text("[interface.eth0]\nigmp_max_version = 3\n")
    path = drop_in.write(main, "eth0", {"igmp_max_version": 2})
    assert path == tmp_path / "mcastd.d" / NAME
    settings = config.load(main).of("eth0")
    assert settings is not None
    assert settings.configs["igmp"].max_version == 2


def test_what_was_kept_before_stays(tmp_path: Path) -> None:
    main = tmp_path / "mcastd.toml"
    main.write_text("")
    drop_in.write(main, "eth0", {"igmp_max_version": 2})
    drop_in.write(main, "eth1", {"mld_max_version": 1})
    path = drop_in.write(main, "eth0", {"igmp_max_version": 1})
    settings = config.load(main)
    eth0, eth1 = settings.of("eth0"), settings.of("eth1")
    assert eth0 is not None
    assert eth1 is not None
    assert eth0.configs["igmp"].max_version == 1
    assert eth1.configs["mld"].max_version == 1
    assert [each.name for each in path.parent.iterdir()] == [NAME]


def test_a_spoilt_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mcastd.d" / NAME
    path.parent.mkdir()
    path.write_text("[interface")
    with pytest.raises(OSError, match=NAME):
        drop_in.write(tmp_path / "mcastd.toml", "eth0", {"igmp_max_version": 2})
    assert path.read_text() == "[interface"
