"""[streams] in the configuration."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from mcastd.gmp.time import milliseconds, seconds
from mcastd.service.config import ConfigFileError, Settings, load
from mcastd.service.restart import needs_restart
from mcastd.streams import StreamFormat


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mcastd.toml"
    path.write_text(text)
    return load(path, ("eth0", "eth1"))


def counting(settings: Settings) -> dict[str, bool]:
    return {name: each.streams for name, each in settings.interfaces.items()}


@pytest.mark.parametrize(
    ("text", "eth0", "eth1"),
    [
        ("", False, False),
        ("[streams]", True, True),
        ("[streams]\n[interface.eth0]\nstreams = false", False, True),
        ("[interface.eth0]\nstreams = true", True, False),
        ("[streams]\n[defaults]\nstreams = false", False, False),
        ("[defaults]\nstreams = true\n[interface.eth1]\nstreams = false", True, False),
    ],
)
def test_streams_are_counted_only_where_that_is_asked_for(
    tmp_path: Path, text: str, eth0: bool, eth1: bool
) -> None:
    settings = read(tmp_path, text)

    assert counting(settings) == {"eth0": eth0, "eth1": eth1}
    assert settings.counts_streams is (eth0 or eth1)


def test_limits_and_formats_are_read(tmp_path: Path) -> None:
    text = """
    [streams]
    lossy = 0.01
    stalled_after = 0.5
    max_streams = 100
    [[streams.format]]
    groups = ["239.1.0.0/16", "ff15::1"]
    port = 5004
    format = "moldudp64"
    [[streams.format]]
    groups = "239.2.2.2"
    offset = 4
    width = 8
    count = 10
    """
    streams = read(tmp_path, text).streams

    assert (streams.lossy, streams.stalled_after, streams.most) == (0.01, seconds(0.5), 100)
    assert streams.formats == (
        StreamFormat(ip_network("239.1.0.0/16"), 5004, "moldudp64"),
        StreamFormat(ip_network("ff15::1"), 5004, "moldudp64"),
        StreamFormat(ip_network("239.2.2.2"), None, "custom", 4, 8, 10),
    )


def test_pairs_are_read(tmp_path: Path) -> None:
    text = """
    [streams]
    pair_window = 0.05
    [[streams.pair]]
    a = "eth0 239.1.1.1:5004"
    b = "eth1 239.1.1.2:5004"
    [[streams.pair]]
    a = "eth0 [ff3e::1]:5004"
    b = "eth9 [ff3e::1]:5004"
    """
    streams = read(tmp_path, text).streams

    assert streams.pair_window == milliseconds(50)
    assert [str(each) for each in streams.pairs] == [
        "eth0 239.1.1.1:5004, eth1 239.1.1.2:5004",
        "eth0 [ff3e::1]:5004, eth9 [ff3e::1]:5004",
    ]
    assert streams.room_for_pairs == 8


def test_more_pairs_than_the_agent_made_room_for_need_a_start(tmp_path: Path) -> None:
    started_with, now = (
        read(
            tmp_path,
            "[streams]\n"
            + "".join(
                f"[[streams.pair]]\na = 'eth0 239.1.1.1:{port}'\nb = 'eth1 239.1.1.1:{port}'\n"
                for port in range(1, 1 + count)
            ),
        )
        for count in (3, 9)
    )
    assert needs_restart(started_with, now) == ["streams.pair"]
    assert needs_restart(now, started_with) == []


PAIR = "[[streams.pair]]\na = 'eth0 239.1.1.1:5004'\nb = 'eth1 239.1.1.1:5004'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[streams]\npair = 1", "write [[streams.pair]]"),
        ("[streams]\npair_window = 0", "from 0.001 to 1"),
        ("[[streams.pair]]\na = 'eth0 239.1.1.1:5004'", "give two legs"),
        (f"{PAIR}c = 'eth2 239.1.1.1:5004'", "give two legs"),
        ("[[streams.pair]]\na = 1\nb = 2", "give two legs"),
        (PAIR.replace("eth1 ", ""), "give the interface and GROUP:PORT"),
        (PAIR.replace("eth1", "eth0"), "eth0 239.1.1.1:5004 is a leg twice"),
        (PAIR * 2, "eth0 239.1.1.1:5004 is a leg twice"),
        (PAIR.replace("239", "10"), "not multicast"),
        (PAIR.replace("5004", "70000"), "from 1 to 65535"),
        (PAIR.replace(":5004", ""), "no port"),
        (PAIR.replace("239.1.1.1", "ff3e::1"), "in brackets"),
    ],
)
def test_a_pair_that_cannot_be_is_refused_with_what_may_be_given(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigFileError, match=r"mcastd\.toml: streams\.pair") as refused:
        read(tmp_path, text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "streams = true",
        "[interface.eth0]\nstreams = 1",
        "[streams]\nnonsense = 1",
        "[streams]\nlossy = 2",
        "[streams]\nlossy = true",
        "[streams]\nstalled_after = 0",
        "[streams]\nmax_streams = 0",
        "[streams]\nmax_streams = 100000",
        "[streams]\nformat = 1",
        "[[streams.format]]\nport = 1",
        "[[streams.format]]\ngroups = '10.0.0.1'",
        "[[streams.format]]\ngroups = '239.1.1.1'\nport = '5'",
        "[[streams.format]]\ngroups = '239.1.1.1'\nformat = 'video'",
        "[[streams.format]]\ngroups = '239.1.1.1'\nwidth = 3",
        "[[streams.format]]\ngroups = '239.1.1.1'\ncolour = 3",
        "[streams]\n" + "[[streams.format]]\ngroups = '239.1.1.1'\n" * 33,
    ],
)
def test_what_cannot_be_is_refused_in_a_line_with_file_and_key(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFileError, match=r"mcastd\.toml: .*stream") as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)
