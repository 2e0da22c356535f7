"""Passes JSON objects and descriptors between the processes of one agent."""

from __future__ import annotations

import json
import os
import socket

from mcastd.service.documents import Own

LONGEST = 64 * 1024


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends; who has one sees when the other's process ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: Own, passed: socket.socket | None = None) -> None:
    """OSError if nobody is at the other end, or, of one that does not wait, has room."""
    content = json.dumps(message).encode()
    descriptors = [] if passed is None else [passed.fileno()]
    socket.send_fds(end, [content], descriptors, socket.MSG_NOSIGNAL)


def receive(end: socket.socket) -> tuple[Own, socket.socket | None] | None:
    """A message, and the socket that came with it; None at the end. OSError."""
    content, descriptors, _flags, _address = socket.recv_fds(
        end, LONGEST, 1, socket.MSG_CMSG_CLOEXEC
    )
    passed = [socket.socket(fileno=each) for each in descriptors]
    if not content:
        for each in passed:
            each.close()
        return None
    message: Own = json.loads(content)
    return message, passed[0] if passed else None


def inherited(descriptor: int) -> socket.socket:
    """An end that the process was started with, and that no other will be."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
