"""One party of spu's PSI. The clock runs from the link being up to the return of the slower party.

``protocol`` seconds are the phase that the library's log calls online.
"""

import os
import re
import sys
from datetime import datetime
from pathlib import Path

from party import begin, costs, now, say, told

TIMEOUT_MS = 900_000
STAMP = re.compile(r"\[([\d-]+ [\d:.]+)\].*::Online\] (start|end)")


def main():
    """Run once and tell."""
    asked = told()
    rank = 0 if asked["role"] == "receiver" else 1
    folder = Path(asked["folder"])
    table, out, log = (folder / f"{name}{rank}" for name in ("in.csv", "out.csv", "log"))
    table.write_text("id\n" + Path(asked["lines"]).read_text() + "\n")
    if rank == 1:
        say(ready=True)
    said = os.dup(1)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):  # what the library prints goes to the log
        os.dup2(descriptor, stream)
    from spu import libspu, psi

    desc = libspu.link.Desc()
    desc.recv_timeout_ms = desc.http_timeout_ms = TIMEOUT_MS
    for i, where in enumerate(asked["parties"]):
        desc.add_party(f"p{i}", where)
    link = libspu.link.create_brpc(desc, rank)
    chosen = {
        "rr22": {
            "protocol": psi.PsiProtocol.PROTOCOL_RR22,
            "rr22_params": psi.Rr22Rarams(low_comm_mode=False),  # its name is misspelt there
        },
        "kkrt": {"protocol": psi.PsiProtocol.PROTOCOL_KKRT},
        "ecdh": {
            "protocol": psi.PsiProtocol.PROTOCOL_ECDH,
            "ecdh_params": psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        },
    }[asked["protocol"]]
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(receiver_rank=0, **chosen),
        input_params=psi.InputParams(path=str(table), selected_keys=["id"], keys_unique=True),  # else slower
        output_params=psi.OutputParams(path=str(out)),
    )
    begin()
    start = now()
    report = psi.psi_execute(config, link)
    end = now()
    mine = folder / f"end{rank}"
    mine.with_suffix(".part").write_text(f"{start} {end}")
    mine.with_suffix(".part").rename(mine)
    theirs = folder / f"end{1 - rank}"
    while not theirs.exists():  # the link of who is first would break the other's
        os.sched_yield()
    other_start, other_end = map(float, theirs.read_text().split())
    link.stop_link()
    os.dup2(said, 1)
    sys.stdout.flush()
    stamps = {what: datetime.fromisoformat(when) for when, what in STAMP.findall(log.read_text())}
    seconds = {"total": max(end, other_end) - min(start, other_start)}
    if len(stamps) == 2:
        seconds["protocol"] = (stamps["end"] - stamps["start"]).total_seconds()
    say(seconds=seconds, sent=None, count=report.intersection_count, **costs())
    os._exit(0)  # its threads do not always end


if __name__ == "__main__":
    errors = os.dup(2)
    try:
        main()
    except Exception:
        os.dup2(errors, 2)  # why it failed is for the runner, not for the log
        raise
