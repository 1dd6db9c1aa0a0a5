"""Results of matches for the tests of what is written of them: one item of every type, and what feeds say."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.export import Export, Ids, MatchResult, select
from exchange.indicators import Indicator, IndicatorType, Tlp
from exchange.indicators.context import Context, Pap

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
SINCE = datetime(2026, 8, 1, tzinfo=UTC)
IDS = Ids(bytes(range(32)))
HEX = "0123456789abcdef" * 8

SAMPLES = {
    IndicatorType.IPV4: ("8.8.4.4",),
    IndicatorType.IPV6: ("2001:4860:4860::8888",),
    IndicatorType.CIDR: ("8.8.4.0/24", "2001:4860::/32"),
    IndicatorType.DOMAIN: ("bad.example.com", "_dmarc.xn--fa-hia.de"),
    IndicatorType.URL: ("https://bad.example.com/a'b?q=%5C\\", "http://8.8.4.4:8080/[x]"),
    IndicatorType.URL_HOST: ("bad.example.com", "8.8.4.4", "2001:4860:4860::8888"),
    IndicatorType.EMAIL: ("o'brien@bad.example.com",),
    IndicatorType.MD5: (HEX[:32],),
    IndicatorType.SHA1: (HEX[:40],),
    IndicatorType.SHA224: (HEX[:56],),
    IndicatorType.SHA256: (HEX[:64],),
    IndicatorType.SHA384: (HEX[:96],),
    IndicatorType.SHA512: (HEX[:128],),
    IndicatorType.IMPHASH: (HEX[:32],),
    IndicatorType.JA3: (HEX[:32],),
    IndicatorType.JA3S: (HEX[:32],),
    IndicatorType.JA4: ("t13d1516h2_8daaf6152771_b186095e22b6",),
    IndicatorType.JARM: (HEX[:62],),
    IndicatorType.HASSH: (HEX[:32],),
    IndicatorType.X509: (HEX[:32], HEX[:40], HEX[:64]),
    IndicatorType.MAC: ("00:16:3e:12:34:56",),
    IndicatorType.ASN: ("13335",),
    IndicatorType.CVE: ("CVE-2021-44228",),
    IndicatorType.BTC: ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",),
    IndicatorType.MUTEX: ("it's mine",),
    IndicatorType.FILE_NAME: ("=cmd'x.exe",),
}
"""Canonical values of every type, with whatever could break a quoted literal."""

EVERY = tuple(Indicator(kind, value) for kind, values in SAMPLES.items() for value in values)

RICH = Context(
    pap=Pap.AMBER,
    first_seen=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    last_seen=datetime(2026, 7, 1, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    confidence=80,
    sightings=7,
    producer="somebody who told us",
    malware=("agent tesla", "redline"),
    techniques=("T1566.001",),
    phases=("mitre-attack:initial-access",),
    tags=("malicious-activity", "phishing"),
    comment="seen in June",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a feed says, as the store would give it."""

    tlp: Tlp = Tlp.GREEN
    context: Context | None = None
    own: bool = False
    first_imported: datetime = SINCE


def selected(
    *items: Indicator,
    said: list[list[Told]] | None = None,
    theirs: Sequence[Context | None] | None = None,
    **how,
) -> Export:
    """An export of these items to be written; each is told once, GREEN, unless it is said otherwise.

    The peer says nothing, or of each item what is in ``theirs``.
    """
    result = MatchResult.of("5e55" * 8, "bob", items or EVERY, theirs)
    told = [[Told()] for _ in result.items] if said is None else said
    return select(result, told, member="alice", now=NOW, **how)


def printed(items: object, **other: object) -> bytes:
    """What ``cosight match --json`` prints, as far as it matters here."""
    count = len(items) if isinstance(items, list) else None
    found = {"session": "5e55" * 8, "peer": "bob", "result": {"count": count, "items": items}}
    return json.dumps(found | other).encode()
