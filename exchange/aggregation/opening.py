"""What a coordinator asks an alliance to count together: one document that everybody computes and checks.

Its hash is the context of the run. Every key, mask and signature of the protocol depends on that, so a member
that was shown another dictionary, another list of members or another window is in another run, and nothing
that it says there is of use in this one. Pure: values in, bytes out.

Source: RFC 8949 section 4.2 (deterministic encoding); Bonawitz et al., CCS 2017 (what the sum runs over).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any, Self

from crypto import labels
from crypto.errors import ParameterError
from crypto.secagg.base import LEAST, MOST, Setup, threshold, tolerated
from crypto.secagg.noise import MOST_EPSILON_MILLI, Noise, honest
from exchange.agreement import MEMBER, PROFILE_FORM, is_int, is_text, is_types, matches
from exchange.errors import PeerMisbehaved
from exchange.identity import encoding
from exchange.indicators import IndicatorType

VERSION = 1
MAX_BYTES = 16_384
MEMBERS = (LEAST, MOST)
"""How many take part: with two, each would learn what the other one put in."""
LEAST_REPORTERS = 2
MAX_ENTRIES = 10_000_000
MAX_ABANDONS = 16
"""Earlier attempts that an opening may give up."""
SLOTS = (1, 64)
SUM_WORDS = 3
"""Words of an entry where numbers are added up: their sum, that of their squares, how many are not zero."""
SUM_WIDTH = 64
MAX_SUM_CAP = 1 << 27
"""So that a hundred squares stay below half of 2^64, with as much room left for noise."""
MAX_STEP_S = 86_400
MAX_AGE_DAYS = 3660
WHOLE_MILLI = 1000
HASH_BYTES = 32


class Measure(StrEnum):
    """What is counted."""

    COUNT = "count"
    """How many members hold an entry, a report and its copies being one voice."""
    SIGHTINGS = "sightings"
    """How often the members themselves saw it."""
    SEVERITY = "severity"
    """The same, each number times the confidence, 0 to 100, that its member has in the entry."""


class Visibility(StrEnum):
    """To whom a released number is shown: the four levels of MISP's ``Sightings_policy``, in its order.

    Source: MISP, ``app/Model/Sighting.php`` (the constants ``SIGHTING_POLICY_*``).
    """

    OWNER = "owner"
    """0: the coordinator, who asked."""
    REPORTERS = "reporters"
    """1: the coordinator, and for each entry the members that put one in."""
    EVERYONE = "everyone"
    """2: all that took part."""
    OWNER_AND_HOST = "owner-and-host"
    """3: the coordinator, and the administrators, who host the alliance."""


class Malformed(PeerMisbehaved):
    """A value of an opening is not of its type, or out of range.

    Attributes:
        field: which.
    """

    def __init__(self, field: str) -> None:
        super().__init__(f"the opening is malformed: {field}")
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One run as it is asked for. Everything of ours is checked before; a fault in it is the coordinator's.

    Attributes:
        version: of this structure.
        alliance: the alliance whose roster holds all of them.
        roster_epoch: epoch of that roster.
        roster_hash: its hash, 32 bytes.
        coordinator: the member that asks, and through which everything goes.
        members: who may take part, ids in ascending order; the coordinator may be one of them.
        session: 32 random bytes, so that no two runs have one context.
        purpose: why, in at most 200 characters.
        measure: what is counted.
        profile: canonical profile of the dictionary.
        types: types of its indicators, sorted, without repetition.
        dictionary: its root, 32 bytes: see ``exchange.aggregation.dictionary``.
        entries: how many indicators it has.
        window: the first and the last day, UTC, both included; what counts was seen on one of them.
        max_age_days: on one of so many last days of the window, where that is fewer; or None.
        slots: words of an entry in a count: the first one for members' own sightings, the others for copies.
        width: bits of a word: 8 or 16 in a count, 64 in a sum.
        cap: the most that one member adds to an entry: 1 in a count.
        minimum: the least number of members whose sum is opened.
        reporters: with fewer than so many behind a number, it is not released.
        dominance_milli: in a sum, a number is not released if one member may stand behind more than this
            part of it, in thousandths.
        epsilon_milli: privacy loss that everybody's noise allows, in thousandths; 0 for exact numbers.
        base: the context of the count that a sum goes on from, 32 bytes; otherwise none.
        abandons: contexts of earlier attempts that are given up, ascending, 32 bytes each.
        visibility: to whom released numbers are shown.
        step_s: how long each step of the protocol waits for members, in seconds.
        software: name and version of the coordinator's software.

    Raises:
        Malformed: a value is not of its type or out of range, or two of them contradict each other.
    """

    version: int = VERSION
    alliance: str
    roster_epoch: int
    roster_hash: bytes
    coordinator: str
    members: tuple[str, ...]
    session: bytes
    purpose: str
    measure: Measure
    profile: str
    types: tuple[IndicatorType, ...]
    dictionary: bytes
    entries: int
    window: tuple[date, date]
    max_age_days: int | None = None
    slots: int = 8
    width: int = 8
    cap: int = 1
    minimum: int
    reporters: int = 3
    dominance_milli: int = 750
    epsilon_milli: int = 0
    base: bytes = b""
    abandons: tuple[bytes, ...] = ()
    visibility: Visibility = Visibility.EVERYONE
    step_s: int
    software: str

    def __post_init__(self) -> None:
        for name, valid in (self._checks() | self._numbers()).items():
            if not valid:
                raise Malformed(name)

    def _checks(self) -> dict[str, bool]:
        hashes = (self.roster_hash, self.session, self.dictionary)
        return {
            "version": is_int(self.version, VERSION, VERSION),
            "alliance": is_text(self.alliance) and bool(self.alliance),
            "roster_epoch": is_int(self.roster_epoch, 1, 1 << 53),
            "hashes or session": all(map(_is_hash, hashes)),
            "coordinator": matches(MEMBER, self.coordinator),
            "members": _is_members(self.members),
            "purpose or software": all(is_text(text) and text for text in (self.purpose, self.software)),
            "measure": isinstance(self.measure, Measure),
            "profile": matches(PROFILE_FORM, self.profile),
            "types": is_types(self.types),
            "window": _is_window(self.window),
            "max_age_days": self.max_age_days is None or is_int(self.max_age_days, 1, MAX_AGE_DAYS),
            "base": self.base == b"" if self.measure is Measure.COUNT else _is_hash(self.base),
            "abandons": _is_contexts(self.abandons),
            "visibility": isinstance(self.visibility, Visibility),
        }

    def _numbers(self) -> dict[str, bool]:
        """Look at the numbers; asked only where the rest is well-formed or will be refused anyway."""
        n = len(self.members) if isinstance(self.members, tuple) else 0
        counting = self.measure is Measure.COUNT
        return {
            "entries": is_int(self.entries, 1, MAX_ENTRIES),
            "slots": is_int(self.slots, *SLOTS)
            and (counting or self.slots == 1)
            and (not self.epsilon_milli or self.slots == 1),
            "width": self.width in ((8, 16) if counting else (SUM_WIDTH,)) and type(self.width) is int,
            "cap": is_int(self.cap, 1, 1 if counting else MAX_SUM_CAP),
            "minimum": is_int(self.minimum, MEMBERS[0], n),
            "reporters": is_int(self.reporters, LEAST_REPORTERS, n),
            "dominance_milli": is_int(self.dominance_milli, 1, WHOLE_MILLI),
            "epsilon_milli": is_int(self.epsilon_milli, 0, MOST_EPSILON_MILLI if counting else 0),
            "step_s": is_int(self.step_s, 1, MAX_STEP_S),
        }

    @property
    def words(self) -> int:
        """Words of each entry."""
        return self.slots if self.measure is Measure.COUNT else SUM_WORDS

    @property
    def size(self) -> int:
        """Words of a member's vector: those of the first entry first."""
        return self.entries * self.words

    @property
    def word_cap(self) -> int:
        """The most that one member adds to any word: in a sum, the square of the cap."""
        return self.cap if self.measure is Measure.COUNT else self.cap * self.cap

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes; everybody computes the same."""
        return encoding.encode({f.name: _plain(getattr(self, f.name)) for f in fields(self)})

    @cached_property
    def context(self) -> bytes:
        """SHA-256 over the label and the canonical bytes: 32 bytes that name the run."""
        return sha256(labels.AGGREGATE_OPENING.encode() + b"\x00" + self.encoded).digest()

    @property
    def name(self) -> str:
        """The context in hex: the session in the ledger and in commands."""
        return self.context.hex()

    @property
    def purpose_hash(self) -> str:
        """What the ledger holds in place of the purpose, in hex."""
        return sha256(labels.AGGREGATE_PURPOSE.encode() + b"\x00" + self.purpose.encode()).hexdigest()

    @property
    def earliest(self) -> date:
        """The first day on which what counts may have been seen."""
        first, last = self.window
        return first if self.max_age_days is None else max(first, last - timedelta(self.max_age_days - 1))

    @cached_property
    def noise(self) -> Noise | None:
        """What each member adds to every word, None where numbers are exact."""
        if not self.epsilon_milli:
            return None
        return noise_of(len(self.members), self.minimum, self.epsilon_milli, self.word_cap)

    def setup(self, identities: Sequence[bytes]) -> Setup:
        """What the protocol runs on.

        Args:
            identities: the members' Ed25519 keys, 32 bytes each, in the order of ``members``.

        Raises:
            PeerMisbehaved: a sum could be too large for its word, or there are not as many keys as members.
        """
        if len(identities) != len(self.members):
            raise PeerMisbehaved("the opening does not fit the roster")
        noise = self.noise
        try:
            return Setup(
                context=self.context,
                identities=tuple(identities),
                minimum=self.minimum,
                size=self.size,
                width=self.width,
                cap=self.word_cap,
                reserve=0 if noise is None else noise.reserve(len(self.members)),
            )
        except ParameterError as e:
            raise PeerMisbehaved(f"the opening cannot be run: {e}") from e

    def position(self, member: str) -> int | None:
        """Where a member stands in the list; None where it does not."""
        return self.members.index(member) if member in self.members else None

    def buries(self, before: "Opening") -> bool:
        """Say whether an earlier attempt that this run abandons can never be opened, once this one is joined.

        Of those that join, all but newcomers and liars keep silent there from then on. What is left of its
        members must not be as many as open it: see docs/adr/0011.
        """
        n, newcomers = len(before.members), set(self.members) - set(before.members)
        joined = max(threshold(len(self.members)), self.minimum)
        return joined - len(newcomers) + threshold(n) > n + tolerated(n)

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Read an opening: its one encoding and nothing else.

        Raises:
            PeerMisbehaved: the bytes are no such encoding.
        """
        try:
            raw = encoding.decode(encoded, limit=MAX_BYTES)
            opening = cls(**_given(raw))
        except PeerMisbehaved:
            raise
        except Exception as e:  # whatever a decoder can raise on arbitrary bytes means the same here
            raise Malformed("its encoding") from e
        if opening.encoded != encoded:
            raise Malformed("not in its canonical form")
        return opening


def noise_of(n: int, minimum: int, epsilon_milli: int, cap: int) -> Noise:
    """What each of ``n`` members adds to a word.

    Of the members whose sum is opened at the least, those that may lie together are not counted on.

    Args:
        n: how many members are asked.
        minimum: the least number whose sum is opened, where that is more than it takes.
        epsilon_milli: privacy loss, in thousandths.
        cap: the most that one member adds to the word.

    Raises:
        ParameterError: no member is left to count on, or a value is out of range.
    """
    sure = honest(max(threshold(n), minimum), tolerated(n))
    return Noise(epsilon_milli=epsilon_milli, cap=cap, honest=sure)


def _given(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or raw.keys() != {f.name for f in fields(Opening)}:
        raise Malformed("its fields")
    first, last = raw["window"]
    return raw | {
        "members": tuple(raw["members"]),
        "measure": Measure(raw["measure"]),
        "types": tuple(map(IndicatorType, raw["types"])),
        "window": (date.fromisoformat(first), date.fromisoformat(last)),
        "abandons": tuple(raw["abandons"]),
        "visibility": Visibility(raw["visibility"]),
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


def _is_hash(value: object) -> bool:
    return type(value) is bytes and len(value) == HASH_BYTES


def _is_members(value: object) -> bool:
    if not isinstance(value, tuple) or not MEMBERS[0] <= len(value) <= MEMBERS[1]:
        return False
    return matches(MEMBER, *value) and _ascend(value)


def _is_contexts(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > MAX_ABANDONS:
        return False
    return all(map(_is_hash, value)) and _ascend(value)


def _ascend(values: Sequence[Any]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _is_window(value: object) -> bool:
    if not isinstance(value, tuple) or [type(day) for day in value] != [date, date]:
        return False
    return bool(value[0] <= value[1])
