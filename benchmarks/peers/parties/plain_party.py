"""One party of the insecure floor: BLAKE2b hashes of 10 bytes, sent sorted, joined by sorting."""

import hashlib

import numpy as np
from party import Line, begin, costs, lines, now, say, told

BYTES = 10


def hashes(items):
    """``(n,)`` of hashes, sorted."""
    data = b"".join(hashlib.blake2b(item.encode(), digest_size=BYTES).digest() for item in items)
    return np.sort(np.frombuffer(data, f"S{BYTES}"))


def sender(asked, items):
    """Show the hashes."""
    line = Line.listening(asked["address"])
    begin()
    line.receive()
    line.send(hashes(items).tobytes())
    line.end()
    say(sent=line.sent, **costs())


def receiver(asked, items):
    """Compare them with our own."""
    line = Line.to(asked["address"], asked["peer"])
    begin()
    start = now()
    line.send(b"")
    ours = hashes(items)
    theirs = np.frombuffer(line.receive(), f"S{BYTES}")
    found = len(np.intersect1d(ours, theirs, assume_unique=True))
    seconds = now() - start
    line.end()
    say(seconds={"total": seconds}, sent=line.sent, count=found, **costs())


if __name__ == "__main__":
    asked = told()
    items = lines(asked["lines"])
    (sender if asked["role"] == "sender" else receiver)(asked, items)
