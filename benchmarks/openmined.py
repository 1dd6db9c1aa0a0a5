"""One run of openmined-psi (ECDH on P-256, C++): two processes that exchange its messages over loopback.

Runs in an environment of its own, which ``benchmarks.peers`` makes: the package pins another protobuf than we
do. The clock runs from a common barrier to the client holding the result; making the items and importing
the package are not in it. Prints one JSON line.
"""

import argparse
import json
import multiprocessing as mp
import secrets
import socket
import struct
import threading
import time

FPR = 1e-9


def send(sock: socket.socket, data: bytes) -> None:
    """Send one length-prefixed message."""
    sock.sendall(struct.pack("<Q", len(data)) + data)


def receive(sock: socket.socket) -> bytes:
    """Receive one length-prefixed message."""
    with sock.makefile("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return stream.read(length)


def server(sock, items, structure, barrier, results):  # noqa: ANN001, ANN201
    """The party with the key: set up, answer one request."""
    import private_set_intersection.python as psi  # noqa: PLC0415

    barrier.wait()
    party = psi.server.CreateWithNewKey(True)  # noqa: FBT003
    setup = party.CreateSetupMessage(FPR, len(items), items, psi.DataStructure[structure]).SerializeToString()
    sending = threading.Thread(
        target=send, args=(sock, setup)
    )  # both send first: without a thread it deadlocks
    sending.start()
    request = psi.Request()
    request.ParseFromString(receive(sock))
    sending.join()
    response = party.ProcessRequest(request).SerializeToString()
    send(sock, response)
    results.put({"server_sent": len(setup) + len(response)})


def client(sock, items, barrier, results):  # noqa: ANN001, ANN201
    """The party that learns the intersection."""
    import private_set_intersection.python as psi  # noqa: PLC0415

    barrier.wait()
    start = time.monotonic()
    party = psi.client.CreateWithNewKey(True)  # noqa: FBT003
    request = party.CreateRequest(items).SerializeToString()
    sending = threading.Thread(target=send, args=(sock, request))
    sending.start()
    with sock.makefile("rb") as stream:  # one reader: it may buffer past the first message
        raw = [stream.read(struct.unpack("<Q", stream.read(8))[0]) for _ in range(2)]
    sending.join()
    setup, response = psi.ServerSetup(), psi.Response()
    setup.ParseFromString(raw[0])
    response.ParseFromString(raw[1])
    found = party.GetIntersection(setup, response)
    results.put({"seconds": time.monotonic() - start, "client_sent": len(request), "found": len(found)})


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--structure", choices=["RAW", "GCS", "BLOOM_FILTER"], default="GCS")
    args = parser.parse_args()
    shared = [secrets.token_hex(16) for _ in range(args.n // 2)]
    sets = [shared + [secrets.token_hex(16) for _ in range(args.n - len(shared))] for _ in range(2)]
    context = mp.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    ours, theirs = socket.socketpair()
    parties = [
        context.Process(target=client, args=(ours, sets[0], barrier, results)),
        context.Process(target=server, args=(theirs, sets[1], args.structure, barrier, results)),
    ]
    for party in parties:
        party.start()
    merged = {k: v for _ in parties for k, v in results.get(timeout=900).items()}
    for party in parties:
        party.join()
    print(json.dumps(merged | {"exact": merged["found"] == len(shared)}))


if __name__ == "__main__":
    main()
