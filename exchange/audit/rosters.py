"""The rosters in an export: verified from the first to the newest, and whose key was whose."""

from collections.abc import Mapping
from dataclasses import dataclass

from exchange.errors import RosterError
from exchange.identity.roster import Member, Revoked, Roster, SignedRoster
from exchange.identity.rules import RosterChain, document_hash

FOLDER = "rosters"


@dataclass(frozen=True, slots=True)
class Rosters:
    """The rosters of an alliance, as far as they could be verified.

    Attributes:
        by_epoch: the first epoch's first.
        problems: what is wrong with them, as ``(file, what)``.
    """

    by_epoch: tuple[Roster, ...]
    problems: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> "Rosters":
        """Verify the rosters of an export. The first is believed: compare its hash with the alliance's."""
        paths = sorted(path for path in files if path.startswith(f"{FOLDER}/"))
        found: list[Roster] = []
        chain: RosterChain | None = None
        for epoch, path in enumerate(paths, start=1):
            if path != name_of(epoch):
                return cls(tuple(found), ((name_of(epoch), "it is missing"),))
            try:
                chain = _next(chain, files[path])
            except RosterError as e:
                return cls(tuple(found), ((path, str(e)),))
            found.append(chain.current)
        return cls(
            tuple(found), () if found else ((name_of(1), "there is no roster: nobody says whose log it is"),)
        )

    def at(self, epoch: int) -> Roster | None:
        """The roster of an epoch."""
        return self.by_epoch[epoch - 1] if 0 < epoch <= len(self.by_epoch) else None

    def entry(self, member: str) -> Member | Revoked | None:
        """What the newest roster says of somebody who is or was a member. Keys never change."""
        entries = self.by_epoch[-1].entries if self.by_epoch else ()
        return next((entry for entry in entries if entry.id == member), None)

    @property
    def genesis(self) -> str:
        """The hash of the first roster in hex, ``""`` where there is none."""
        return self.by_epoch[0].hash.hex() if self.by_epoch else ""


def name_of(epoch: int) -> str:
    """The path of a roster in an export."""
    return f"{FOLDER}/{epoch:06d}.roster"


def _next(chain: RosterChain | None, signed: bytes) -> RosterChain:
    if chain is None:
        return RosterChain.begin(document_hash(SignedRoster.decode(signed)), signed)
    after = chain.adopt([signed])
    if after is chain:
        raise RosterError("it is an older roster under a new name")
    return after
