"""The configuration as others may see it."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.service.configuration_views import TAKEN_OUT, without_secrets


@pytest.mark.parametrize(
    "key",
    ["password", "web_password", "passwd", "Secret", "api_key", "bearer_token", "private_key",
     "authorization", "credentials"],
)  # fmt: skip
def test_a_secret_is_taken_out_wherever_it_stands(key: str) -> None:
    document: dict[str, Any] = {"metrics": {key: "hunter2", "listen": "127.0.0.1:9776"}}
    assert without_secrets(document) == {"metrics": {key: TAKEN_OUT, "listen": "127.0.0.1:9776"}}
    assert without_secrets([{key: ["hunter2"]}]) == [{key: TAKEN_OUT}]


def test_a_password_in_an_address_is_taken_out() -> None:
    found = without_secrets({"url": "https://user:hunter2@example.net/x"})
    assert found == {"url": f"https://{TAKEN_OUT}@example.net/x"}


def test_all_else_stands_as_it_was() -> None:
    document = {
        "interface": {"eth0": {"mode": "host", "igmp_max_version": 2, "keys": [1, True, 2.5]}}
    }
    assert without_secrets(document) == document
