"""What the profile does to one value, rule by rule. Slow and complete where ``canonical`` is fast.

It runs the rules of the canonicaliser themselves, without the short cut for what is canonical already.
"""

from dataclasses import dataclass, field

from exchange.indicators.canonical import RULES, cleaning, guess, of_kind
from exchange.indicators.rules import Rules
from exchange.indicators.text import CLEAN
from exchange.indicators.types import Indicator, IndicatorType, Refused

GUESS = "type"
"""The name of the step that tells the type of a value of which nobody states it."""

ADVICE = {
    "empty": "give a value",
    "too-long": "look whether several values run together",
    "bad-character": "save the file as UTF-8 text again",
    "not-one-value": "put each value on a line of its own",
    "bad-address": "write four numbers from 0 to 255 without leading zeros, or IPv6",
    "bad-port": "leave the port away: it is dropped anyway",
    "bad-prefix": "write the network as ADDRESS/BITS: at most 32 bits for IPv4, 128 for IPv6",
    "not-global": "leave it out: in another network it means something else",
    "bad-domain": "write the name without wildcards, paths and empty labels; is it perhaps of another type?",
    "unknown-suffix": "is it a file? then state the type: file-name. Names of private networks do not match",
    "public-suffix": "name a host or a domain below it",
    "bad-url": "open it in a browser: what no browser takes is not compared",
    "no-scheme": "put http:// or https:// before it, or import its host alone, as url-host",
    "unsupported-scheme": "import its host as a domain or an address",
    "bad-email": "write local@domain, without a name, quotes and mailto:",
    "bad-digest": "write hexadecimal digits, without names of algorithms and 0x",
    "bad-digest-length": "count the digits: is the type right, was it cut?",
    "empty-digest": "leave it out: it is the digest of no bytes, or a placeholder",
    "bad-fingerprint": "write a JA4 of a TLS client, such as t13d1516h2_8daaf6152771_e5627efa2ab1",
    "bad-mac": "write six octets, such as 00:16:3e:12:34:56",
    "bad-asn": "write AS and a number up to 4294967295",
    "bad-cve": "write CVE-YEAR-NUMBER with at least four digits in the number",
    "bad-btc": "copy it again: a typing error breaks the checksum; other chains have no type here",
    "bad-name": "name one file or one mutex, without wildcards",
}
"""What somebody who wants the value in can do, by the reason of its refusal."""


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that changed the value, or that told its type.

    Attributes:
        rule: its name.
        before: the value when it came.
        after: the value when it went.
        why: what the rule is for.
        lossy: another value may have become the same one here.
    """

    rule: str
    before: str
    after: str
    why: str
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a value.

    Attributes:
        steps: what changed it, in order.
        result: its canonical form; ``None`` if it was refused.
        reason: why it was refused, a key of ``REASONS``; ``""`` if it was not.
        refused_by: the name of the rule that refused it; ``""`` if none did.
    """

    steps: tuple[Step, ...]
    result: Indicator | None
    reason: str = ""
    refused_by: str = ""

    @property
    def lossy(self) -> bool:
        """Whether something was dropped by which this value could be told from another one."""
        return any(step.lossy for step in self.steps)

    @property
    def advice(self) -> str:
        """What to do about a refusal; ``""`` if there was none."""
        return ADVICE.get(self.reason, "")


@dataclass(slots=True)
class _Walk:
    """A value on its way through rules."""

    text: str
    rule: str = ""
    steps: list[Step] = field(default_factory=list)

    def through(self, rules: Rules) -> None:
        """Apply rules and remember those that changed something, and the one that is at work."""
        for rule in rules:
            self.rule = rule.name
            after = rule.apply(self.text)
            if after != self.text:
                self.steps.append(Step(rule.name, self.text, after, rule.why, rule.lossy))
            self.text = after

    def told(self) -> IndicatorType:
        """Tell the type, which is a step though it changes nothing."""
        self.rule = GUESS
        kind, why = guess(self.text)
        self.steps.append(Step(GUESS, self.text, self.text, why))
        return kind


def explain(text: str, kind: IndicatorType | None = None) -> Explanation:
    """Canonicalise a value and remember how.

    Args:
        text: the value as somebody wrote it.
        kind: its type; ``None`` to find it out.
    """
    walk = _Walk(text)
    try:
        walk.through(CLEAN if kind is None else cleaning(kind))
        kind = kind or walk.told()
        walk.through(RULES[kind])
    except Refused as e:
        return Explanation(tuple(walk.steps), None, e.reason, walk.rule)
    return Explanation(tuple(walk.steps), of_kind(kind, walk.text))
