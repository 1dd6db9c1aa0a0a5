"""What a link does, measured from its ends.

python -m exchange.bench.echo answer ADDRESS
python -m exchange.bench.echo ask ADDRESS PORT BYTES
"""

import json
import socket
import sys
from time import perf_counter

TIMES = 20
_CHUNK = bytes(1 << 18)


def _exactly(connection: socket.socket, count: int) -> None:
    buffer = bytearray(1 << 18)
    while count:
        got = connection.recv_into(buffer, min(count, len(buffer)))
        if not got:
            raise ConnectionError("the other end went away")
        count -= got


def answer(address: str) -> None:
    """Serve one asker: its bytes come back one by one, then it sends many and gets one."""
    with socket.create_server((address, 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(TIMES):
                _exactly(connection, 1)
                connection.sendall(b"\0")
            count = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
            _exactly(connection, count)
            connection.sendall(b"\0")


def ask(address: str, port: int, count: int) -> dict[str, object]:
    """Seconds of each of some round trips, and of ``count`` bytes and an answer."""
    with socket.create_connection((address, port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        trips = []
        for _ in range(TIMES):
            start = perf_counter()
            connection.sendall(b"\0")
            _exactly(connection, 1)
            trips.append(perf_counter() - start)
        start = perf_counter()
        connection.sendall(count.to_bytes(8, "big"))
        for begin in range(0, count, len(_CHUNK)):
            connection.sendall(memoryview(_CHUNK)[: min(len(_CHUNK), count - begin)])
        _exactly(connection, 1)
        return {"round_trips_s": trips, "bulk_s": perf_counter() - start}


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(sys.argv[2])
    else:
        print(json.dumps(ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
