"""A port of the caller's own network that leads into a namespace."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any

from mcastd_lab.errors import LabError
from mcastd_lab.namespaces import Namespace

SECONDS = 10.0
"""For one request and its answer."""


class Forwarder(socketserver.ThreadingTCPServer):
    """Takes connections at an address here to the same address in the namespace.

    One request and one answer each, as HTTP with `Connection: close` has it.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, namespace: Namespace, host: str, port: int) -> None:
        """LabError if the port is taken."""
        self.namespace = namespace
        try:
            super().__init__((host, port), _Connection)
        except OSError as error:
            raise LabError(f"{host}:{port}: {error.strerror}: is another mcastd running?") from None
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up early does not want to know."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        with self.server.namespace.entered():
            there = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with there:
            there.settimeout(SECONDS)
            self.request.settimeout(SECONDS)
            there.connect(self.server.server_address)
            there.sendall(self.request.recv(65536))
            with suppress(TimeoutError):
                while data := there.recv(65536):
                    self.request.sendall(data)
