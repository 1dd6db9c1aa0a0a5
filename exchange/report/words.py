"""Sentences and numbers for people: reasons in words, dates, and the paragraph on each session."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

HELD_BACK = {
    "p15-warning-list": "on a warning list: known to be harmless or shared by many",
    "p4-tlp": "marked more closed (TLP) than this peer may receive",
    "p5-pap": "marked more closed (PAP) than this peer may receive",
    "p18-provenance": "copied from others, and only our own sightings may enter",
    "p14-embargo": "still under embargo",
    "expired": "out of date: no longer valid, or no news for longer than the setting allows",
    "p13-age": "seen last longer ago than this peer's terms allow",
    "p11-per-value": "has entered as many sessions with this peer as the terms allow",
    "p16-personal-data": "personal data without a legal basis for it",
    "duplicate": "the same value twice",
}
"""What held an item back, by rule."""
RUNGS = {
    "size": "how large the other side's set is, as a size class",
    "estimate": "about how similar the sets are",
    "cardinality": "how many indicators both hold",
    "sum": "how many indicators both hold, and one total over them",
    "overlap": "which indicators both hold",
    "context": "which indicators both hold, and what the other side says of them",
}
"""What a rung of the ladder reveals to whoever learns it."""
BASES = {
    "gdpr-6-1-a": "GDPR Art. 6(1)(a), consent",
    "gdpr-6-1-b": "GDPR Art. 6(1)(b), contract",
    "gdpr-6-1-c": "GDPR Art. 6(1)(c), legal obligation",
    "gdpr-6-1-d": "GDPR Art. 6(1)(d), vital interests",
    "gdpr-6-1-e": "GDPR Art. 6(1)(e), public task",
    "gdpr-6-1-f": "GDPR Art. 6(1)(f), legitimate interests",
    "cisa-2015": "CISA 2015, 6 U.S.C. 1501-1510",
    "not-personal-data": "held not to be personal data",
    "other": "another basis, see the reference",
}
"""Legal bases by their word in the policy."""
_OPEN = (
    "There is no result in the ledger: the session is running, or the node was stopped in the middle. The "
    "worst case counts."
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def number(n: int) -> str:
    """A count with separators."""
    return f"{n:,}"


def count(n: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def day(time: str) -> str:
    """The day of a time, RFC 3339, as people write it."""
    when = datetime.fromisoformat(time)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def moment(time: str) -> str:
    """A time, RFC 3339, to the second."""
    return f"{day(time)}, {time[11:19]} UTC"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(words) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def held_back(rule: str) -> str:
    """Why a rule held items back; the rule's own name where this version has no words for it."""
    return HELD_BACK.get(rule, f"held back by the rule {rule}")


def session(s: Mapping[str, Any], us: str) -> list[str]:
    """What each side learned and could infer: sentences on one session, from its facts."""
    return [*_began(s, us), *_entered(s, us), *_ended(s, us), *_known(s, us, s["peer"]), *_sizes(s, us)]


def _began(s: Mapping[str, Any], us: str) -> list[str]:
    dialler, answerer = (us, s["peer"]) if s["direction"] == "initiator" else (s["peer"], us)
    purpose = f", for the purpose “{s['purpose']['stated']}”" if s["purpose"]["stated"] else ""
    asked = RUNGS.get(s["protocol"]["rung"], s["protocol"]["rung"])
    if s["protocol"]["stage"] == "ahead":
        asked = "to prepare a later match, with no set involved"
    elif s["protocol"]["output"] == "both":
        asked += ", both sides to learn it"
    elif s["roles"]["us" if dialler == us else "peer"] == "sender" and s["protocol"]["rung"] != "size":
        asked += f", {answerer} to learn it"
    return [f"On {moment(s['began'])} {dialler} asked {answerer}: {asked}{purpose}."]


def _entered(s: Mapping[str, Any], us: str) -> list[str]:
    given, said = s["input"], []
    if given["entered_total"] is not None:
        text = f"{count(given['entered_total'], 'indicator')} of {us} entered"
        text += f" ({listed(s['types'])})"
        held = sum(row["total"] for row in given["withheld"])
        if held:
            text += f"; {number(held)} were held back by {count(len(given['withheld']), 'rule')}"
        said.append(f"{text}.")
    else:
        said.append(
            f"How many indicators of {us} entered is not in the ledger; it was at most the size class."
        )
    sizes = s["sizes"]
    if sizes["peer_padded"] is None:
        said.append(f"{s['peer']} had not declared its size yet.")
    elif sizes["ours_padded"]:
        said.append(
            f"{s['peer']} saw a set of at most {number(sizes['ours_padded'])} and declared one of at most "
            f"{number(sizes['peer_padded'])}."
        )
    return said


def _ended(s: Mapping[str, Any], us: str) -> list[str]:
    if s["outcome"] == "open":
        return [_OPEN]
    if s["outcome"] == "aborted":
        return [f"The session ended early ({s['reason']})."]
    matched = s["output"]["matched"]
    if matched is not None:
        return [f"{count(matched, 'indicator')} matched."]
    if s["protocol"]["rung"] == "size" or s["bounds"]["stated_from"]:
        return []
    return [f"How many matched is not known to {us}."]


def _known(s: Mapping[str, Any], us: str, peer: str) -> list[str]:
    bounds, out = s["bounds"], s["output"]
    said = []
    if out["matched"] and s["roles"]["we_learn"]:
        said.append(f"{us} learned that {peer} holds these {number(out['matched'])}.")
    if out["told_peer"] is not None:
        said.append(f"{us} told {peer} that at most {number(out['told_peer'])} matched.")
    worst, stated = bounds["ours_learned_most"], bounds["ours_learned_stated"]
    if not worst:
        said.append(
            f"{peer} learned nothing about any single indicator of {us}; from the size class it can infer "
            f"that the set has {number(bounds['ours_least'])} to {number(bounds['ours_most'])} items."
        )
        return said
    said.append(
        f"At worst {peer} learned of {count(worst, 'indicator')} of {us} that it holds "
        f"{'it' if worst == 1 else 'them'}: that is the case if all of its guesses were right."
    )
    if stated is None:
        said.append(f"How many it was, {peer} did not have to say.")
    elif bounds["stated_from"] == "receipt":
        said.append(f"By the receipt that {peer} signed, it was at most {number(stated)}.")
    else:
        said.append(
            f"In this run it was {number(stated)}: {us} gave back no more. The budget counts the worst case."
        )
    return said


def _sizes(s: Mapping[str, Any], us: str) -> list[str]:
    least, most = s["bounds"]["peer_least"], s["bounds"]["peer_most"]
    if not most:
        return []
    return [f"{us} can infer that the set of {s['peer']} has {number(least)} to {number(most)} items."]
