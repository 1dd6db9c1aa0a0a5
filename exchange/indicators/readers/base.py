"""What a format is to those that read it, and the names producers give to types."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from exchange.indicators.batch import Candidate
from exchange.indicators.readers.source import Source
from exchange.indicators.types import IndicatorType, Refused


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator may want of a reader; each reader heeds what concerns it.

    Attributes:
        every_attribute: MISP: also what its producer does not mean for detection (``to_ids`` is false).
        columns: tables: what each column holds, in the words of ``type_name``; empty to find out.
        url_hosts: the host of every URL becomes an item of its own type too.
    """

    every_attribute: bool = False
    columns: tuple[str, ...] = ()
    url_hosts: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: what the operator writes after ``--format``.
        score: how well the first lines of a file fit, from 0 to 1.
        candidates: every value of a file that may be an indicator.
    """

    name: str
    score: Callable[[str], float]
    candidates: Callable[[Source, Options], Iterator[Candidate]]


# Names of types in columns and headers of ThreatFox, TweetFeed, MISP, STIX, OTX and vendors' tables, written
# as type_name() writes them.
_TYPES = {
    IndicatorType.IPV4: "ipv4 ip ipaddr ipaddress ipv4addr ipport ipdst ipsrc ipdstport ipsrcport dstip",
    IndicatorType.IPV6: "ipv6 ipv6addr",
    IndicatorType.CIDR: "cidr netblock network subnet ipv4cidr ipv6cidr iprange",
    IndicatorType.DOMAIN: "domain hostname host fqdn domainname c2domain hostnameport domainport",
    IndicatorType.URL: "url uri link c2url",
    IndicatorType.EMAIL: "email emailaddr emailaddress emailsrc emaildst mail",
    IndicatorType.MD5: "md5 md5hash hashmd5 filehashmd5 filemd5",
    IndicatorType.SHA1: "sha1 sha1hash hashsha1 filehashsha1 filesha1",
    IndicatorType.SHA256: "sha256 sha256hash hashsha256 filehashsha256 filesha256",
}
TYPE_NAMES = {name: kind for kind, names in _TYPES.items() for name in names.split()}

# Named in type columns, but no types of the profile; "hash" and "ioc" leave the choice to the value.
ANY_TYPE = frozenset({"hash", "filehash", "ioc", "indicator", "observable"})
_OTHER = """filename filepath file path mutex regkey registry registrykey asn yara ja3 ja3s jarm sha512 sha384
sha224 sha3384 imphash ssdeep tlsh useragent cve btc wallet sha1certfingerprint"""
_UNSUPPORTED = Refused("unsupported-type")
OTHER_TYPES = frozenset(_OTHER.split())


def type_name(text: str) -> str:
    """A name of a type without case and punctuation: ``FileHash-SHA256`` is ``filehashsha256``."""
    return "".join(c for c in text.lower() if c.isalnum())


@lru_cache(maxsize=256)
def stated_type(text: str) -> IndicatorType | Refused | None:
    """What a cell of a type column says: a type, ``None`` for "see the value", or a refusal."""
    name = type_name(text)
    if not name or name in ANY_TYPE:
        return None
    return TYPE_NAMES.get(name) or _UNSUPPORTED
