"""What one would otherwise write: a packet socket, and each IGMP frame taken apart in Python.

`python -m mcastd_bench.packet_receiver INTERFACE` receives until SIGTERM, and then prints what it
received, what its socket had no room for, and the processor time that took, as JSON.
"""

from __future__ import annotations

import json
import resource
import signal
import socket
import struct
import sys

from mcastd_bench.handover import take_apart

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
BUFFER = 16 << 20
LOOK_SECONDS = 0.1


def main() -> None:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.bind((sys.argv[1], ETH_P_ALL))
    sock.settimeout(LOOK_SECONDS)
    going = True

    def stop(_number: int, _frame: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    before = processor_seconds()
    buffer, received, messages = bytearray(2048), 0, 0
    while going:
        try:
            size = sock.recv_into(buffer)
        except TimeoutError:
            continue
        received += 1
        messages += take_apart(buffer, size)
    _, dropped = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    spent = processor_seconds() - before
    print(json.dumps({"received": received, "igmp": messages, "dropped": dropped, "cpu": spent}))


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
