"""A MISP event: an attribute for each shared item, sighted by both members.

What the peer says is in the comment of the attribute, which has one marking: that of the more closed of both.

Source: MISP core format (draft-dulaunoy-misp-core-format); types and categories of MISP 2.4 and later.
"""

from typing import Any

from exchange.export.ids import Ids
from exchange.export.selection import ABOUT_PEERS, Export, Shared, stricter
from exchange.export.words import cell
from exchange.indicators import Indicator, IndicatorType

_NETWORK, _PAYLOAD = "Network activity", "Payload delivery"
_OTHER = ("other", _NETWORK, False)

ATTRIBUTES: dict[IndicatorType, tuple[str, str, bool]] = {
    IndicatorType.IPV4: ("ip-dst", _NETWORK, True),
    IndicatorType.IPV6: ("ip-dst", _NETWORK, True),
    IndicatorType.CIDR: ("ip-dst", _NETWORK, True),
    IndicatorType.DOMAIN: ("domain", _NETWORK, True),
    IndicatorType.URL: ("url", _NETWORK, True),
    IndicatorType.EMAIL: ("email", _PAYLOAD, True),
    IndicatorType.MD5: ("md5", _PAYLOAD, True),
    IndicatorType.SHA1: ("sha1", _PAYLOAD, True),
    IndicatorType.SHA224: ("sha224", _PAYLOAD, True),
    IndicatorType.SHA256: ("sha256", _PAYLOAD, True),
    IndicatorType.SHA384: ("sha384", _PAYLOAD, True),
    IndicatorType.SHA512: ("sha512", _PAYLOAD, True),
    IndicatorType.IMPHASH: ("imphash", _PAYLOAD, True),
    IndicatorType.FILE_NAME: ("filename", _PAYLOAD, True),
    IndicatorType.JA3: ("ja3-fingerprint-md5", _NETWORK, True),
    IndicatorType.JA3S: _OTHER,  # MISP has none, and its ja3-fingerprint-md5 is the client's
    IndicatorType.JA4: _OTHER,
    IndicatorType.JARM: ("jarm-fingerprint", _NETWORK, True),
    IndicatorType.HASSH: ("hassh-md5", _NETWORK, True),
    IndicatorType.MAC: ("mac-address", _NETWORK, True),
    IndicatorType.ASN: ("AS", _NETWORK, False),
    IndicatorType.CVE: ("vulnerability", "External analysis", False),
    IndicatorType.BTC: ("btc", "Financial fraud", True),
    IndicatorType.MUTEX: ("mutex", "Artifacts dropped", True),
}
"""Type, category and ``to_ids`` of an attribute; those of a host and a certificate depend on the value."""

_FINGERPRINTS = {32: "md5", 40: "sha1", 64: "sha256"}
_UNDEFINED, _COMPLETED, _OUR_ORGANISATION, _AS_EVENT, _SIGHTING = "4", "2", "0", "5", "0"


def event(export: Export, ids: Ids) -> dict[str, Any]:
    """The event of an export. It is not published and goes to nobody until its owner says so."""
    named = export.about_peer is not None
    alone = "holds" if export.peer else "hands on"  # of a discovery, some may be told and not held
    subject = f"{export.member} and {export.peer} both hold" if named else f"{export.member} {alone}"
    tlp = export.floor if export.about_peer is None else export.about_peer
    for item in export.items:
        tlp = stricter(tlp, item.tlp_of_all)
    return {
        "Event": {
            "uuid": ids.uuid("misp-event", export.session),
            "info": f"Indicators that {subject}",
            "date": export.now.date().isoformat(),
            "timestamp": _seconds(export),
            "threat_level_id": _UNDEFINED,
            "analysis": _COMPLETED,
            "distribution": _OUR_ORGANISATION,
            "published": False,
            "Orgc": _organisation(export.member, ids),
            "Tag": [{"name": f"tlp:{tlp.lower()}"}],
            "Attribute": [_attribute(item, export, ids) for item in export.items],
        }
    }


def _attribute(item: Shared, export: Export, ids: Ids) -> dict[str, Any]:
    told, pap, key = item.context, item.pap_of_all, (str(item.indicator.type), item.indicator.value)
    kind, category, to_ids, value = _typed(item.indicator)
    tlp = item.tlp if export.about_peer is None else stricter(item.tlp_of_all, ABOUT_PEERS)
    tags = [f"tlp:{tlp.lower()}", *([f"PAP:{pap}"] if pap else [])]
    tags += [*told.malware, *told.techniques, *told.phases, *told.tags]
    seen = sorted(t for t in (told.first_seen, told.last_seen) if t is not None)
    attribute = {
        "uuid": ids.uuid("misp-attribute", *key),
        "type": kind, "category": category, "to_ids": to_ids, "value": value,
        "comment": _comment(item, export, kind),
        "timestamp": _seconds(export), "distribution": _AS_EVENT,
        "Tag": [{"name": tag} for tag in dict.fromkeys(tags)],
    }  # fmt: skip
    if told.first_seen is not None:
        attribute["first_seen"] = seen[0].isoformat()
    if told.last_seen is not None:
        attribute["last_seen"] = seen[-1].isoformat()
    if export.about_peer is not None:
        attribute["Sighting"] = [
            {
                "uuid": ids.uuid("misp-sighting", export.peer, who, *key), "type": _SIGHTING,
                "date_sighting": _seconds(export), "source": who, "Organisation": _organisation(who, ids),
            }
            for who in (export.member, export.peer)
        ]  # fmt: skip
    return attribute


def _comment(item: Shared, export: Export, kind: str) -> str:
    ours = item.context.comment or (str(item.indicator.type) if kind == "other" else "")
    theirs = "" if item.peer_says is None else cell(export.peer, item.peer_says.context)
    return "; ".join(filter(None, (ours, theirs)))


def _typed(indicator: Indicator) -> tuple[str, str, bool, str]:
    """Type, category, ``to_ids`` and value of an attribute."""
    kind, value = indicator.type, indicator.value
    if kind is IndicatorType.X509:
        return f"x509-fingerprint-{_FINGERPRINTS[len(value)]}", _NETWORK, True, value
    if kind is IndicatorType.URL_HOST:
        address = ":" in value or value.replace(".", "").isdigit()
        return "ip-dst" if address else "hostname", _NETWORK, True, value
    if kind is IndicatorType.ASN:
        value = f"AS{value}"
    return *ATTRIBUTES[kind], value


def _organisation(member: str, ids: Ids) -> dict[str, str]:
    return {"name": member, "uuid": ids.uuid("identity", member)}


def _seconds(export: Export) -> str:
    return str(int(export.now.timestamp()))
