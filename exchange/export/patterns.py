"""A shared indicator as a STIX pattern: one object path for each type, one equality.

STIX has no place for fingerprints of TLS and SSH: they stand where most tools put them, in an extension of
``network-traffic`` that nobody has registered; a wallet is the object that OpenCTI made common. The host of a
URL has an object of its own: ``domain-name`` would make another indicator of it. ``docs/export.md`` has all.

Source: STIX 2.1 sections 6 (observables), 9.6 (object paths), 9.4.1 (string literals).
"""

from exchange.indicators import Indicator, IndicatorType

_HASHES = {32: "MD5", 40: "'SHA-1'", 64: "'SHA-256'"}

PATHS = {
    IndicatorType.IPV4: "ipv4-addr:value",
    IndicatorType.IPV6: "ipv6-addr:value",
    IndicatorType.DOMAIN: "domain-name:value",
    IndicatorType.URL: "url:value",
    IndicatorType.URL_HOST: "x-cosight-url-host:value",
    IndicatorType.EMAIL: "email-addr:value",
    IndicatorType.MD5: "file:hashes.MD5",
    IndicatorType.SHA1: "file:hashes.'SHA-1'",
    IndicatorType.SHA224: "file:hashes.'SHA-224'",
    IndicatorType.SHA256: "file:hashes.'SHA-256'",
    IndicatorType.SHA384: "file:hashes.'SHA-384'",
    IndicatorType.SHA512: "file:hashes.'SHA-512'",
    IndicatorType.IMPHASH: "file:extensions.'windows-pebinary-ext'.imphash",
    IndicatorType.FILE_NAME: "file:name",
    IndicatorType.MUTEX: "mutex:name",
    IndicatorType.MAC: "mac-addr:value",
    IndicatorType.JA3: "network-traffic:extensions.'tls-ext'.ja3",
    IndicatorType.JA3S: "network-traffic:extensions.'tls-ext'.ja3s",
    IndicatorType.JA4: "network-traffic:extensions.'tls-ext'.ja4",
    IndicatorType.JARM: "network-traffic:extensions.'tls-ext'.jarm",
    IndicatorType.HASSH: "network-traffic:extensions.'ssh-ext'.hassh",
    IndicatorType.BTC: "cryptocurrency-wallet:value",
}
"""Types whose place does not depend on the value."""


def pattern(indicator: Indicator) -> str:
    """The pattern of an indicator of any type but ``cve``, which is a vulnerability and nothing observed."""
    kind, value = indicator.type, indicator.value
    if kind is IndicatorType.ASN:
        return f"[autonomous-system:number = {int(value)}]"
    if kind is IndicatorType.CIDR:
        path = PATHS[IndicatorType.IPV6 if ":" in value else IndicatorType.IPV4]
    elif kind is IndicatorType.X509:
        path = f"x509-certificate:hashes.{_HASHES[len(value)]}"
    else:
        path = PATHS[kind]
    return f"[{path} = {literal(value)}]"


def literal(text: str) -> str:
    """A text as a literal of the pattern language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
