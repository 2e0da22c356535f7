"""TLS for the metrics: the file that exporters share, and connections inside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mcastd.service.config import load
from mcastd.service.connections import Connection
from mcastd.service.restart import check_machine
from mcastd.service.secured import HandshakeError, Secured
from mcastd.service.web_config import WebConfig, WebConfigError
from support.certificates import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl(1)")

ANSWER = b"x" * 300_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    for name in ("agent", "prometheus", "stranger"):
        made.issue(name)
    return made


def written(authority: Authority, more: str = "", name: str = "web.yml") -> WebConfig:
    path = authority.directory / name
    path.write_text(f"tls_server_config:\n  cert_file: agent.pem\n  key_file: agent.key\n{more}")
    return WebConfig(path)


VERIFIED = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


def client(authority: Authority, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if name is not None:
        pem, key = (authority.directory / f"{name}.{each}" for each in ("pem", "key"))
        context.load_cert_chain(pem, key)
    return context


def asked(config: WebConfig, context: ssl.SSLContext) -> tuple[bytes, bool]:
    """What the client is told, and whether its certificate is one that may ask."""
    here, there = socket.socketpair()

    def ask() -> bytes:
        with here, context.wrap_socket(here, server_hostname="agent") as sock:
            sock.sendall(b"question")
            return b"".join(iter(lambda: sock.recv(65536), b""))

    async def answer() -> bool:
        made = config.context()
        assert made is not None
        secured = Secured(Connection(there), made)
        await secured.begin()
        assert await secured.receive() == b"question"
        await secured.send(ANSWER)
        await secured.end()
        return config.admits(secured.certificate)

    with there, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            admitted = asyncio.run(answer())
        finally:
            there.close()
        return asking.result(), admitted


def test_what_is_said_inside_arrives_whole_with_its_end(authority: Authority) -> None:
    assert asked(written(authority), client(authority, None)) == (ANSWER, True)


def test_only_verified_clients_come_in(authority: Authority) -> None:
    config = written(authority, VERIFIED)
    assert asked(config, client(authority, "prometheus")) == (ANSWER, True)
    with pytest.raises((HandshakeError, ssl.SSLError)):
        asked(config, client(authority, None))


def test_of_these_only_the_ones_that_are_named(authority: Authority) -> None:
    config = written(authority, VERIFIED + "  client_allowed_sans: [prometheus]\n")
    assert asked(config, client(authority, "prometheus"))[1]
    assert not asked(config, client(authority, "stranger"))[1]


def test_a_version_that_is_too_old_is_refused(authority: Authority) -> None:
    config, old = written(authority, "  min_version: TLS13\n"), client(authority, None)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((HandshakeError, ssl.SSLError)):
        asked(config, old)


def test_another_certificate_is_taken_when_its_file_changes(authority: Authority) -> None:
    config = written(authority)
    first = config.context()
    assert config.context() is first
    os.utime(authority.directory / "agent.pem", ns=(1, 1))
    assert config.context() is not first


REFUSED = [
    ("[]", "a mapping is needed"),
    ("{", "not YAML"),
    ("basic_auth_users: {a: b}", "'basic_auth_users': not to be had here"),
    ("tls_server_config: {cert_file: agent.pem}", "tls_server_config.key_file is needed"),
    ("tls_server_config: {curve_preferences: []}", "'curve_preferences': not to be had here"),
    ("tls_server_config: {cert_file: 1, key_file: agent.key}", "a text is needed"),
    (
        "tls_server_config: {cert_file: agent.pem, key_file: agent.key, "
        "client_auth_type: RequireAnyClientCert}",
        "allowed is NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
    ),
    (
        "tls_server_config: {cert_file: agent.pem, key_file: agent.key, client_ca_file: ca.pem}",
        "go together",
    ),
    ("tls_server_config: {cert_file: nothing, key_file: agent.key}", "No such file"),
    ("tls_server_config: {cert_file: agent.pem, key_file: prometheus.key}", "cannot be used"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_cannot_be_had_is_refused_by_name(text: str, said: str, authority: Authority) -> None:
    path = authority.directory / "refused.yml"
    path.write_text(text)
    with pytest.raises(WebConfigError, match=r"refused\.yml|nothing") as caught:
        WebConfig(path)
    assert said in str(caught.value)


def test_the_settings_are_checked_with_it(tmp_path: Path) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text('[metrics]\nlisten = "unix:/run/mcastd/metrics.sock"\nweb_config = "/none"\n')
    settings = load(path)
    assert settings.metrics is not None
    assert settings.metrics.is_path
    with pytest.raises(Exception, match=r"metrics.web_config: /none: No such file"):
        check_machine(settings)
