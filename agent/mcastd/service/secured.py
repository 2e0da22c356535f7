"""Wraps a client's connection in TLS; OpenSSL makes the records."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from mcastd.service.connections import AT_ONCE, SEND_SECONDS, Connection
from mcastd.service.documents import Own


class HandshakeError(ConnectionError):
    """The client speaks no TLS, or has no certificate that is good here."""


class Secured:
    """What is inside; it has the face of a `Connection`."""

    def __init__(self, outside: Connection, context: ssl.SSLContext) -> None:
        self._outside = outside
        self._comes, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inside = context.wrap_bio(self._comes, self._goes, server_side=True)

    @property
    def socket(self) -> socket.socket:
        return self._outside.socket

    @property
    def certificate(self) -> Own | None:
        """The client's, if one was asked for, and is verified."""
        return self._inside.getpeercert()

    async def begin(self) -> None:
        """HandshakeError if it cannot be had; ConnectionError if the client goes."""
        while True:
            try:
                self._inside.do_handshake()
            except ssl.SSLWantReadError:
                await self._take()
            except ssl.SSLError as error:
                with suppress(OSError):
                    await self._flush()  # it is told why
                raise HandshakeError(str(error)) from None
            else:
                await self._flush()
                return

    async def receive(self) -> bytes:
        """What has come, b"" at the end."""
        while True:
            try:
                return self._inside.read(AT_ONCE)
            except ssl.SSLWantReadError:
                try:
                    await self._take()
                except ConnectionError:
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise HandshakeError(str(error)) from None

    async def send(self, content: bytes, within: float = SEND_SECONDS) -> None:
        """SlowError if the client does not take all of it in time. ConnectionError."""
        self._inside.write(content)
        await self._flush(within)

    async def end(self) -> None:
        """Says that nothing follows: without that it might have been cut off."""
        with suppress(ssl.SSLError):
            self._inside.unwrap()
        await self._flush()

    async def _take(self) -> None:
        await self._flush()
        piece = await self._outside.receive()
        if not piece:
            raise ConnectionError
        self._comes.write(piece)

    async def _flush(self, within: float = SEND_SECONDS) -> None:
        if self._goes.pending:
            await self._outside.send(self._goes.read(), within)
