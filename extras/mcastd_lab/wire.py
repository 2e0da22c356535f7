"""Single frames put on a link by hand."""

from __future__ import annotations

import socket

from mcastd_lab.namespaces import Namespace

ETH_P_ALL = 3


class Wire:
    """An interface as frames see it: what is sent goes out, what passes by is received."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind((interface, 0))

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def close(self) -> None:
        self._socket.close()
