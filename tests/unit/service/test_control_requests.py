"""Requests on the control socket as they are parsed; the socket itself."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from mcastd.service.answers import AT_ONCE, pieces_of
from mcastd.service.callers import Caller, may_change
from mcastd.service.control_socket import ControlError, bound
from mcastd.service.requests import RequestError, checked, parsed

NOBODY = 65534


def test_a_request_has_a_method_and_parameters() -> None:
    assert parsed(b'{"method": "groups", "parameters": {"name": "eth0"}}\n') == (
        "groups", {"name": "eth0"}
    )  # fmt: skip


@pytest.mark.parametrize(
    "line", [b'{"method": "status"}', b'{"method": "status", "parameters": null}']
)
def test_parameters_may_be_left_out(line: bytes) -> None:
    assert parsed(line) == ("status", {})


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"nonsense", b"{", b"[]", b'"status"', b"7", b"null", b"\xff\xff", b"{}",
        b'{"method": 7}', b'{"method": "status", "parameters": []  }x',
        b'{"method": "status", "parameters": [1]}', b'{"method": "status", "parameters": "x"}',
    ],
)  # fmt: skip
def test_anything_else_is_a_bad_request(line: bytes) -> None:
    with pytest.raises(RequestError, match="a request is") as caught:
        parsed(line)
    assert caught.value.code == "bad_request"


def test_half_a_character_is_no_text_and_a_byte_of_a_name_is() -> None:
    assert checked("groups", {"name": "eth\udcff"}) == {"name": "eth\udcff"}
    with pytest.raises(RequestError, match=r"name = .*: not a parameter of this kind"):
        checked("groups", {"name": "\ud800"})


def test_a_watcher_chooses_a_type_and_an_interface() -> None:
    wanted = {"type": "query", "interface": "eth0"}
    assert checked("watch", wanted) == wanted
    assert checked("watch", {}) == {}


@pytest.mark.parametrize("parameters", [{"types": "query"}, {"type": 7}, {"interface": ["eth0"]}])
def test_what_a_watcher_cannot_choose_is_named(parameters: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=f"{next(iter(parameters))} = .*: not a parameter"):
        checked("watch", parameters)


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, 2 * AT_ONCE + 1])
def test_a_long_answer_is_one_line_in_pieces(count: int) -> None:
    pieces = list(pieces_of({"number": number} for number in range(count)))
    line = b"".join(pieces)
    assert json.loads(line) == {"result": [{"number": number} for number in range(count)]}
    assert line.endswith(b"\n")
    assert len(pieces) == -(-count // AT_ONCE) + 1


def test_a_short_answer_is_one_piece() -> None:
    assert list(pieces_of({"a": [1, 2]})) == [b'{"result": {"a": [1, 2]}}\n']


def test_the_socket_is_for_its_owner_and_its_group(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "control.sock"
    with bound(str(path), None):
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o660


def test_a_socket_that_nobody_listens_at_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    with bound(str(path), None):
        assert path.is_socket()


def test_a_socket_that_somebody_listens_at_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with bound(str(path), None) as other:
        other.listen()
        with pytest.raises(ControlError, match="another mcastd listens there"):
            bound(str(path), None)


def test_a_group_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="'no such group': there is no such group"):
        bound(str(tmp_path / "control.sock"), "no such group")


def test_a_place_where_no_socket_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match=r"file/control\.sock: Not a directory"):
        bound(str(tmp_path / "file" / "control.sock"), None)


@pytest.mark.parametrize(
    ("uid", "group", "may"),
    [
        (0, None, True),
        (NOBODY, None, False),
        (NOBODY, "no such group", False),
        (NOBODY - 1, None, False),
    ],
)
def test_root_may_change_and_strangers_may_not(uid: int, group: str | None, may: bool) -> None:
    assert may_change(Caller(uid, 1, "somebody"), group) is may


def test_members_of_the_admin_group_may_change() -> None:
    assert may_change(Caller(NOBODY, 1, "somebody"), "nogroup")
