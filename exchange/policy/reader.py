"""Reading a policy out of plain tables, whichever file they stood in."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from crypto.psi.base import MAX_BANDS, MAX_EPSILON_MILLI, are_bands
from crypto.sealing import LABEL_CLASSES
from crypto.secagg.noise import MOST_EPSILON_MILLI
from exchange.aggregation.opening import LEAST_REPORTERS, MEMBERS, Measure, Visibility
from exchange.agreement import MAX_ROWS, MEMBER, OVER, PROFILE_FORM, Rung
from exchange.identity.keys import is_strong
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Context, Pap
from exchange.policy.condition import Condition
from exchange.policy.tables import BALANCED, BASES, IEP_WORDS, Arrangement, Iep, LegalBasis
from exchange.policy.terms import ANYONE, VERSION, Approving, Noise, PerValue, Share, Terms, Told
from exchange.policy.together import LEARNERS, Aggregate, Discover, Shared
from exchange.policy.values import Place, Read, Values

WORD = re.compile(r"[a-z][a-z0-9-]{0,30}")
_PEER = re.compile(rf"{MEMBER.pattern}|{re.escape(ANYONE)}")
_REGION = re.compile(r"[A-Z][A-Z0-9-]{1,9}")
_KEY = re.compile(r"[0-9a-f]{64}")
_MAX_SESSIONS = 1_000_000
_MAX_VALUES = 1 << 53
_MAX_DAYS = 3_660
_MAX_PEOPLE = 20
_MAX_CANARIES = 1_000
_LONG = 2_000


class Reader:
    """Turns plain tables into what a policy is made of."""

    def __init__(self, values: Values) -> None:
        self._v = values

    def policy(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Read all of it.

        Returns:
            The arguments of ``Policy``.

        Raises:
            ConfigError: a key or a value is not known, or two of them contradict each other.
        """
        v = self._v
        if type(raw.get("version")) is not int or raw["version"] != VERSION:
            raise v.fault(("version",), f"must be {VERSION}")
        readers: dict[str, Read] = {
            "version": lambda _at, value: value,
            "revision": v.number(_MAX_VALUES),
            "suspended": v.flag,
            "regions": v.matching(_REGION, "a region, such as EU or DE"),
            "personal_data": self._personal,
            "legal_bases": self._ids(self._legal_basis),
            "arrangements": self._ids(self._arrangement),
            "approvers": self._ids(self._key),
            "iep": self._iep,
            "aggregate": self._aggregate,
            "discover": self._discover,
            "peers": lambda at, value: v.named(
                at, value, _PEER, "member id (a-z, 0-9 and -, at most 40)", self._terms
            ),
        }
        found = v.stated((), raw, readers, "valid_from", "valid_until")
        del found["version"]
        for name, terms in found.setdefault("peers", {}).items():
            self._agree(("peers", name), terms, found)
        for name in ("aggregate", "discover"):
            if name in found:
                self._hold((name,), found[name], found)
        return found | {"validity": v.validity((), raw)}

    def _terms(self, at: Place, raw: object) -> Terms:
        return Terms(**self._dated(at, raw, self._who() | self._what() | self._limits() | self._guards()))

    def _aggregate(self, at: Place, raw: object) -> Aggregate:
        v = self._v
        readers = self._shared() | {
            "coordinators": v.matching(_PEER, "a member id, or *"),
            "measures": v.words(list(Measure)),
            "minimum": v.number(MEMBERS[1], MEMBERS[0]),
            "reporters": v.number(MEMBERS[1], LEAST_REPORTERS),
            "dictionary": v.bounds,
            "each_type": v.number(MAX_ROWS, 1),
            "repeated": v.real(0, 1),
            "dominance": v.real(0.001, 1),
            "epsilon": v.real(0.001, MOST_EPSILON_MILLI / 1000),
            "visibility": v.words(list(Visibility)),
        }
        return Aggregate(**self._dated(at, raw, readers))

    def _discover(self, at: Place, raw: object) -> Discover:
        v = self._v
        readers = self._shared() | {
            "relays": v.matching(_PEER, "a member id, or *"),
            "relay": v.flag,
            "counter": v.flag,
            "helper": v.flag,
            "threshold": v.number(MEMBERS[1], 2),
            "least": v.number(MEMBERS[1], MEMBERS[0]),
            "learns": v.words(LEARNERS),
            "quota": v.real(1, 100),
        }
        return Discover(**self._dated(at, raw, readers))

    def _shared(self) -> dict[str, Read]:
        """Readers of the lines that counting and finding together have in common."""
        v, lines = self._v, self._who() | self._what()
        both = ("purposes", "types", "tlp", "pap", "legal_basis", "provenance", "max_age_days", "suspended")
        return {name: lines[name] for name in both} | {
            "members": v.number(MEMBERS[1], MEMBERS[0]),
            "per_day": v.number(_MAX_SESSIONS),
        }

    def _dated(self, at: Place, raw: object, readers: Mapping[str, Read]) -> dict[str, Any]:
        """The lines of a table that has its own days."""
        stated = self._v.stated(at, raw, readers, "valid_from", "valid_until")
        return stated | {"validity": self._v.validity(at, self._v.table(at, raw))}

    def _who(self) -> dict[str, Read]:
        """Readers of the lines on the peer and on the circumstances."""
        v = self._v
        word = v.text(WORD, "the name of a table (a-z, 0-9 and -)")
        return {
            "directions": v.words(["initiator", "responder"]),
            "reveal": lambda at, value: Rung(v.word(list(Rung))(at, value)),
            "learns": v.words(["us", "peer"]),
            "roles": v.words(["administrator", "member"]),
            "arrangement": word,
            "legal_basis": word,
            "region": v.text(_REGION, "a region, such as EU or DE"),
            "purposes": lambda at, value: frozenset(v.each(at, value, v.line())),
            "approval": self._approval,
            "attestation": v.flag,
            "suspended": v.flag,
        }

    def _what(self) -> dict[str, Read]:
        """Readers of the lines on what goes in."""
        v = self._v
        return {
            "types": self._types,
            "protocols": v.matching(WORD, "the name of a protocol"),
            "tlp": v.parsed(Tlp.parse, f"one of: {', '.join(Tlp)}"),
            "pap": v.parsed(Pap.parse, f"one of: {', '.join(Pap)}"),
            "attribution": v.word(IEP_WORDS["attribution"]),
            "max_age_days": self._ages,
            "provenance": v.word(["own", "any"]),
            "profiles": v.matching(PROFILE_FORM, "the name of a profile, such as cti-c14n/1"),
        }

    def _limits(self) -> dict[str, Read]:
        """Readers of the lines on how much, and how often."""
        v = self._v
        days = v.number(_MAX_DAYS, 1)
        return {
            "our_size": v.bounds,
            "peer_size": v.bounds,
            "size_ratio": v.real(1, MAX_ROWS),
            "sessions_per_day": v.number(_MAX_SESSIONS),
            "values_per_day": v.number(_MAX_VALUES),
            "values_per_year": v.number(_MAX_VALUES),
            "entries_per_value": lambda at, value: PerValue(
                **v.whole(
                    at, value, "{ most = NUMBER, days = NUMBER }",
                    {"most": v.number(_MAX_SESSIONS, 1), "days": days},
                )
            ),
            "share": lambda at, value: Share(
                **v.whole(
                    at, value, "{ most = NUMBER, days = NUMBER }", {"most": v.real(0, 1), "days": days}
                )
            ),
            "sums": v.words(OVER),
            "bands": self._bands,
            "noise": lambda at, value: Noise(
                **v.whole(
                    at, value, "{ epsilon = NUMBER, most = NUMBER, days = NUMBER }",
                    {
                        "epsilon": v.real(0.001, MAX_EPSILON_MILLI / 1000),
                        "most": v.real(0, _MAX_SESSIONS),
                        "days": days,
                    },
                )
            ),
            "context": self._told,
            "climb": v.flag,
            "climb_if": self._conditions,
            "ahead_hours": v.real(0, 24 * _MAX_DAYS),
        }  # fmt: skip

    def _guards(self) -> dict[str, Read]:
        """Readers of the lines against a peer that cheats."""
        v = self._v
        return {
            "tell_count": v.word(["hidden", "band", "exact"]),
            "commitment": v.word(["required", "optional"]),
            "growth_per_day": v.real(0, 1_000_000),
            "canaries": v.number(_MAX_CANARIES),
            "on_alarm": v.word(["quarantine", "record"]),
        }

    def _types(self, at: Place, value: object) -> frozenset[IndicatorType]:
        return frozenset(map(IndicatorType, self._v.words(list(IndicatorType))(at, value)))

    def _ages(self, at: Place, value: object) -> dict[IndicatorType, int]:
        days = self._v.number(_MAX_DAYS, 1)
        if not isinstance(value, dict):
            return dict.fromkeys(IndicatorType, days(at, value))
        stated = self._v.stated(at, value, {str(kind): days for kind in IndicatorType})
        return {IndicatorType(kind): n for kind, n in stated.items()}

    def _bands(self, at: Place, value: object) -> tuple[int, ...]:
        edges = tuple(self._v.each(at, value, self._v.number(MAX_ROWS)))
        if edges and are_bands(edges):
            return edges
        raise self._v.fault(at, f"must ascend from 0, at most {MAX_BANDS} numbers, such as [0, 1, 10, 100]")

    def _told(self, at: Place, value: object) -> Told:
        v = self._v
        readers: dict[str, Read] = {
            "fields": v.words([f.name for f in fields(Context)]),
            "bytes": v.number(LABEL_CLASSES[-1], LABEL_CLASSES[0]),
        }
        told = Told(**v.whole(at, value, "{ fields = [FIELD], bytes = NUMBER }", readers))
        if told.bytes in LABEL_CLASSES:
            return told
        raise v.fault((*at, "bytes"), f"must be one of: {', '.join(map(str, LABEL_CLASSES))}")

    def _conditions(self, at: Place, value: object) -> dict[Rung, Condition]:
        condition = self._v.parsed(Condition.parse, 'a condition, such as "cardinality >= 20"')
        above = {str(rung): condition for rung in Rung if rung is not Rung.SIZE}
        return {Rung(rung): read for rung, read in self._v.stated(at, value, above).items()}

    def _approval(self, at: Place, value: object) -> Approving:
        v = self._v
        readers: dict[str, Read] = {
            "rungs": lambda place, given: frozenset(map(Rung, v.words(list(Rung))(place, given))),
            "people": v.number(_MAX_PEOPLE, 1),
            "days": v.number(_MAX_DAYS, 1),
        }
        return Approving(**v.whole(at, value, "{ rungs = [RUNG], people = NUMBER, days = NUMBER }", readers))

    def _ids(self, read: Read) -> Read:
        return lambda at, value: self._v.named(at, value, WORD, "name (a-z, 0-9 and -, at most 31)", read)

    def _personal(self, at: Place, raw: object) -> frozenset[IndicatorType]:
        types: frozenset[IndicatorType] = self._v.whole(
            at, raw, "a table with the one line types = [...]", {"types": self._types}
        )["types"]
        return types

    def _legal_basis(self, at: Place, raw: object) -> LegalBasis:
        v = self._v
        readers = {"basis": v.word(BASES), "balancing_test": v.line(), "reference": v.line()}
        stated = self._dated(at, raw, readers)
        if "basis" not in stated:
            raise v.fault(at, f"needs basis, one of: {', '.join(BASES)}")
        if stated["basis"] == BALANCED and "balancing_test" not in stated:
            raise v.fault(at, "needs balancing_test: where the test of the interests is filed")
        return LegalBasis(**stated)

    def _arrangement(self, at: Place, raw: object) -> Arrangement:
        v = self._v
        readers = {
            "reference": v.line(),
            "parties": v.matching(MEMBER, "a member id (a-z, 0-9 and -, at most 40)"),
            "conditions": v.line(),
        }
        stated = self._dated(at, raw, readers)
        if "reference" not in stated:
            raise v.fault(at, "needs reference: where the arrangement is filed")
        return Arrangement(**stated)

    def _key(self, at: Place, value: object) -> bytes:
        if isinstance(value, str) and _KEY.fullmatch(value) and is_strong(bytes.fromhex(value)):
            return bytes.fromhex(value)
        raise self._v.fault(at, "must be a public key, as `cosight policy approver` prints it")

    def _iep(self, at: Place, raw: object) -> Iep:
        v = self._v
        readers: dict[str, Read] = {
            "id": v.line(),
            "name": v.line(),
            "description": v.line(_LONG),
            "iep_version": self._iep_version,
            "tlp": v.parsed(Tlp.parse, f"one of: {', '.join(Tlp)}"),
            "external_references": lambda place, value: tuple(v.each(place, value, v.line(_LONG))),
            **{key: v.word(words) for key, words in IEP_WORDS.items()},
        }
        stated = v.stated(at, raw, readers, "start_date", "end_date")
        for key in ("id", "name", "iep_version"):
            if key not in stated:
                raise v.fault(at, f"needs {key}")
        del stated["iep_version"]
        return Iep(**stated, validity=v.instants(at, v.table(at, raw)))

    def _iep_version(self, at: Place, value: object) -> float:
        if type(value) is not bool and value in {2, "2.0"}:
            return 2.0
        raise self._v.fault(at, "must be 2.0")

    def _agree(self, at: Place, terms: Terms, found: Mapping[str, Any]) -> None:
        """Refuse terms that name what the policy does not have, or that contradict it."""
        name = terms.arrangement
        if name is not None and name not in found.get("arrangements", {}):
            raise self._v.fault((*at, "arrangement"), f"names {name}, and there is no [arrangements.{name}]")
        if terms.approval is not None and terms.approval.people > len(found.get("approvers", {})):
            raise self._v.fault((*at, "approval"), "asks for more people than [approvers] has")
        self._hold(at, terms, found)

    def _hold(self, at: Place, terms: Terms | Shared, found: Mapping[str, Any]) -> None:
        """Refuse what names a legal basis that is not there, or a marking that the policy's IEP closes."""
        name = terms.legal_basis
        if name is not None and name not in found.get("legal_bases", {}):
            raise self._v.fault((*at, "legal_basis"), f"names {name}, and there is no [legal_bases.{name}]")
        iep = found.get("iep")
        if iep is not None and iep.tlp is not None and terms.tlp not in {None, *_up_to(iep.tlp)}:
            raise self._v.fault((*at, "tlp"), f"is more closed than the {iep.tlp} of the policy's own IEP")


def _up_to(tlp: Tlp) -> tuple[Tlp, ...]:
    """The markings at most as closed, RED included: as a ceiling it means all but RED."""
    return tuple(Tlp)[: tuple(Tlp).index(tlp) + 1]
