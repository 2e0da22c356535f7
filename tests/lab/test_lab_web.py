"""The metrics by other ways than a port in the clear: TLS, a path, sockets of the manager's."""

from __future__ import annotations

import shutil
import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from mcastd.client import Client
from support.certificates import Authority
from support.lab import METRICS, Cable, run_in
from support.manager import Manager
from support.waiting import stretched

pytestmark = pytest.mark.lab


def scraped(sock: socket.socket) -> str:
    with sock:
        sock.settimeout(stretched(20))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n")
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


def connected(cable: Cable) -> socket.socket:
    with cable.host.entered():
        return socket.create_connection(METRICS, timeout=stretched(20))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl(1)")
def test_who_has_a_certificate_scrapes_and_nobody_else(cable: Cable, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("agent")
    pem, key = authority.issue("prometheus")
    (tmp_path / "web.yml").write_text(
        "tls_server_config:\n  cert_file: agent.pem\n  key_file: agent.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    )
    settings = tmp_path / "mcastd.toml"
    settings.write_text(f'[metrics]\nweb_config = "{tmp_path}/web.yml"\n')
    cable.observe("-c", settings)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with pytest.raises((OSError, ssl.SSLError)):
        scraped(context.wrap_socket(connected(cable), server_hostname="agent"))
    assert "mcastd_" not in scraped(connected(cable))
    context.load_cert_chain(pem, key)
    told = scraped(context.wrap_socket(connected(cable), server_hostname="agent"))
    assert told.startswith("HTTP/1.1 200")
    assert "mcastd_messages_total" in told
    with closing(context.wrap_socket(connected(cable), server_hostname="agent")):
        pass  # who goes without a question costs nothing


def test_at_a_path(cable: Cable) -> None:
    path = cable.lab.directory / "metrics.sock"
    agent = cable.lab.agent(cable.host, "-i", "eth0", "--metrics", f"unix:{path}")
    assert path.stat().st_mode & 0o777 == 0o660
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    assert "mcastd_messages_total" in scraped(sock)
    agent.close()
    again = cable.lab.agent(cable.host, "-i", "eth0", "--metrics", f"unix:{path}")
    again.close()


def test_by_sockets_of_the_service_manager(cable: Cable) -> None:
    """Who connects while there is no agent is answered by the next one."""
    manager = cable.lab.keep(Manager(cable.lab.directory))
    control = cable.lab.directory / "own.sock"
    with socket.socket(socket.AF_UNIX) as listening, cable.host.entered():
        listening.bind(str(control))
        listening.listen()
        manager.kept["control"] = listening.dup().detach()
        with socket.create_server(METRICS) as port:
            manager.kept["metrics"] = port.dup().detach()
    early = connected(cable)
    agent = cable.lab.agent(
        cable.host, "-i", "eth0", "--metrics", "127.0.0.1:1", wrapper=manager.wrapper
    )
    assert "mcastd_messages_total" in scraped(early)
    with Client(str(control)) as client:
        assert client.call("status")["interfaces"][0]["name"] == "eth0"
    assert not agent.control.exists()
    agent.close()
    assert run_in(cable.host, "true").returncode == 0
    cable.lab.agent(cable.host, "-i", "eth0", "--metrics", "127.0.0.1:1", wrapper=manager.wrapper)
    assert "mcastd_messages_total" in scraped(connected(cable))
