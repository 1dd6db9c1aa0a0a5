"""What a log says of other logs: their lengths and roots, and the sets their owners are bound to."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from exchange.audit.sessions import count, moment
from exchange.ledger.leaf import Kind, Leaf

AT_ONCE = timedelta(hours=1)
"""Sessions of one peer may overlap: within this time a shorter log may be written down after a longer one."""


class Shown(NamedTuple):
    """One state of a peer's log, as an entry of ours witnesses it."""

    seq: int
    time: str
    size: int
    root: str


class Bound(NamedTuple):
    """One commitment of a peer, as an entry of ours witnesses it."""

    seq: int
    epoch: int
    root: str
    padded: int


@dataclass(slots=True)
class Witnessed:
    """What our entries say of one peer."""

    shown: dict[int, Shown] = field(default_factory=dict)
    bound: dict[int, Bound] = field(default_factory=dict)
    recent: deque[tuple[datetime, int]] = field(default_factory=deque)
    longest: int = 0


class Witness:
    """Compares everything that was witnessed of each peer."""

    def __init__(self) -> None:
        self.peers: dict[str, Witnessed] = {}

    def entry(self, leaf: Leaf) -> Iterator[str]:
        """Look at one entry; give what is wrong with it."""
        what = leaf.what
        if leaf.kind not in {Kind.INTENT, Kind.RECEIPT} or not what.keys() >= {"log_size", "log_root"}:
            return
        known = self.peers.setdefault(leaf.peer, Witnessed())
        size, root = count(what["log_size"]), str(what["log_root"])
        if (before := known.shown.setdefault(size, Shown(leaf.seq, leaf.time, size, root))).root != root:
            yield f"the peer's log of {size} entries is another one than entry {before.seq} witnesses"
        if leaf.kind is Kind.INTENT and size < _longest(known, moment(leaf.time)):
            yield f"the peer's log has {size} entries, but {known.longest} were witnessed before"
        known.recent.append((moment(leaf.time), size))
        if what.keys() >= {"peer_epoch", "peer_set", "peer_set_padded"}:
            epoch, padded = count(what["peer_epoch"]), count(what["peer_set_padded"])
            bound = known.bound.setdefault(epoch, Bound(leaf.seq, epoch, str(what["peer_set"]), padded))
            if (bound.root, bound.padded) != (what["peer_set"], padded):
                yield f"the peer's set of epoch {epoch} is another one than entry {bound.seq} witnesses"


def _longest(known: Witnessed, now: datetime) -> int:
    """The longest log that was witnessed some time ago."""
    while known.recent and known.recent[0][0] < now - AT_ONCE:
        known.longest = max(known.longest, known.recent.popleft()[1])
    return known.longest
