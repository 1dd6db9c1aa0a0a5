"""What a format is to those that read it, and the names producers give to types."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from exchange.indicators.batch import Candidate
from exchange.indicators.readers.source import Source
from exchange.indicators.types import IndicatorType, Refused

LEAST_SCORE = 0.1
"""A format that scores less is a guess."""


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
    IndicatorType.URL: "url uri c2url",
    IndicatorType.URL_HOST: "urlhost",
    IndicatorType.EMAIL: "email emailaddr emailaddress emailsrc emaildst mail",
    IndicatorType.MD5: "md5 md5hash hashmd5 filehashmd5 filemd5 md5sum",
    IndicatorType.SHA1: "sha1 sha1hash hashsha1 filehashsha1 filesha1 sha1sum",
    IndicatorType.SHA224: "sha224 sha224hash hashsha224 filehashsha224 sha224sum",
    IndicatorType.SHA256: "sha256 sha256hash hashsha256 filehashsha256 filesha256 sha256sum",
    IndicatorType.SHA384: "sha384 sha384hash hashsha384 filehashsha384 sha384sum",
    IndicatorType.SHA512: "sha512 sha512hash hashsha512 filehashsha512 sha512sum",
    IndicatorType.IMPHASH: "imphash filehashimphash peimphash",
    IndicatorType.JA3: "ja3 ja3hash ja3md5 ja3fingerprint ja3fingerprintmd5",
    IndicatorType.JA3S: "ja3s ja3shash ja3smd5 ja3sfingerprint",
    IndicatorType.JA4: "ja4 ja4fingerprint",
    IndicatorType.JARM: "jarm jarmhash jarmfingerprint",
    IndicatorType.HASSH: "hassh hasshmd5 hasshservermd5",
    IndicatorType.X509: """x509fingerprint x509fingerprintmd5 x509fingerprintsha1 x509fingerprintsha256
        certfingerprint sha1certfingerprint sslcertfingerprint certificatefingerprint""",
    IndicatorType.MAC: "mac macaddr macaddress",
    IndicatorType.ASN: "asn autonomoussystem autonomoussystemnumber",
    IndicatorType.CVE: "cve cveid vulnerability",
    IndicatorType.BTC: "btc btcaddress bitcoin bitcoinaddress bitcoinwallet",
    IndicatorType.MUTEX: "mutex mutexname mutant",
    IndicatorType.FILE_NAME: "filename",
}
TYPE_NAMES = {name: kind for kind, names in _TYPES.items() for name in names.split()}

DESCRIBING = frozenset(
    {
        IndicatorType.IMPHASH, IndicatorType.JA3, IndicatorType.JA3S, IndicatorType.JA4, IndicatorType.JARM,
        IndicatorType.HASSH, IndicatorType.MAC, IndicatorType.ASN, IndicatorType.CVE, IndicatorType.FILE_NAME,
    }
)  # fmt: skip
"""Types that describe the indicator beside them in a row: half of all samples have one imphash, and the
network of an attacker's address is not the attacker. Only in a table of nothing else are they indicators."""

# Named in type columns, but no types of the profile; "hash" and "ioc" leave the choice to the value.
ANY_TYPE = frozenset({"hash", "filehash", "ioc", "indicator", "observable"})
VALUE_NAMES = frozenset({"value", "iocvalue", "indicatorvalue", "trail"}) | ANY_TYPE
"""Names of columns and keys that hold a value of any type."""
TYPE_COLUMN_NAMES = frozenset(
    {"type", "ioctype", "indicatortype", "observabletype", "observabletypes", "kind"}
)
"""Names of columns and keys that hold the type of the value beside them."""
_MAX_NAME_CHARS = 128
_OTHER = (
    "link reference filepath path file regkey registry registrykey yara sha3384 ssdeep tlsh useragent wallet"
)
_UNSUPPORTED = Refused("unsupported-type")
OTHER_TYPES = frozenset(_OTHER.split())


def type_name(text: str) -> str:
    """A name of a type without case and punctuation: ``FileHash-SHA256`` is ``filehashsha256``."""
    return "".join(c for c in text.lower() if c.isalnum())


def stated_type(text: str) -> IndicatorType | Refused | None:
    """What a cell of a type column says: a type, ``None`` for "see the value", or a refusal."""
    return _stated(text) if len(text) < _MAX_NAME_CHARS else _UNSUPPORTED


@lru_cache(maxsize=256)
def _stated(text: str) -> IndicatorType | Refused | None:
    name = type_name(text)
    if not name or name in ANY_TYPE:
        return None
    return TYPE_NAMES.get(name) or _UNSUPPORTED
