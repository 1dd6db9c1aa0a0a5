"""One run of RR22 or ECDH in ``spu`` (SecretFlow's PSI, C++): two processes over its link, CSV to CSV.

Runs in an environment of its own, which ``benchmarks.bulk`` makes. ``wall_s`` runs from a common barrier to
the return of the slower party: reading, hashing, protocol, sorting, writing. ``protocol_s`` is the phase that
its log calls online, of the slower party. Importing the package and making the link are in neither. Prints
one JSON line.
"""

import argparse
import json
import multiprocessing as mp
import os
import re
import socket
import time
from datetime import datetime
from pathlib import Path

TIMEOUT_S = 900
_STAMP = re.compile(r"\[([\d-]+ [\d:.]+)\].*::Online\] (start|end)")


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def party(rank, ports, table, out, log, protocol, barrier, results):  # noqa: ANN001, ANN201
    """One party; rank 0 learns the intersection. What the library prints goes to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    from spu import libspu, psi  # noqa: PLC0415

    desc = libspu.link.Desc()
    desc.recv_timeout_ms = desc.http_timeout_ms = TIMEOUT_S * 1000
    for i, port in enumerate(ports):
        desc.add_party(f"p{i}", f"127.0.0.1:{port}")
    link = libspu.link.create_brpc(desc, rank)
    chosen = {
        "rr22": {
            "protocol": psi.PsiProtocol.PROTOCOL_RR22,
            "rr22_params": psi.Rr22Rarams(low_comm_mode=False),  # its name is misspelt there
        },
        "ecdh": {
            "protocol": psi.PsiProtocol.PROTOCOL_ECDH,
            "ecdh_params": psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        },
    }[protocol]
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(receiver_rank=0, **chosen),
        input_params=psi.InputParams(path=table, selected_keys=["id"], keys_unique=True),  # else it is slower
        output_params=psi.OutputParams(path=out),
    )
    barrier.wait(TIMEOUT_S)
    start = time.monotonic()
    report = psi.psi_execute(config, link)
    results.put({"start": start, "end": time.monotonic(), "count": report.intersection_count, "rank": rank})
    barrier.wait(TIMEOUT_S)  # the link of who is first would break the other's
    link.stop_link()


def online_s(log: Path) -> float:
    """How long the phase took that a log calls online."""
    stamps = {what: datetime.fromisoformat(when) for when, what in _STAMP.findall(log.read_text())}
    return (stamps["end"] - stamps["start"]).total_seconds()


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs=2, help="the receiver's and the sender's CSV, keys in the column id")
    parser.add_argument("--out", required=True, help="folder for the results and the logs")
    parser.add_argument("--protocol", choices=["rr22", "ecdh"], default="rr22")
    args = parser.parse_args()
    context = mp.get_context("spawn")
    barrier, results, ports = context.Barrier(2), context.Queue(), free_ports(2)
    logs = [Path(args.out) / f"log{rank}" for rank in range(2)]
    parties = [
        context.Process(
            target=party,
            args=(
                rank,
                ports,
                table,
                f"{args.out}/out{rank}.csv",
                logs[rank],
                args.protocol,
                barrier,
                results,
            ),
            daemon=True,
        )
        for rank, table in enumerate(args.tables)
    ]
    for each in parties:
        each.start()
    ends = sorted((results.get(timeout=TIMEOUT_S) for _ in parties), key=lambda end: end["rank"])
    for each in parties:
        each.join()
    wall = max(end["end"] for end in ends) - min(end["start"] for end in ends)
    protocol = max(online_s(log) for log in logs)
    print(json.dumps({"wall_s": wall, "protocol_s": protocol, "count": ends[0]["count"]}))


if __name__ == "__main__":
    main()
