"""Addresses and networks: ``ipv4``, ``ipv6``, ``cidr``.

Which addresses are global is part of the profile, so the table stands here: that of the standard library
changes between versions of Python.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 4291, RFC 5952.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from exchange.indicators.rules import Rule
from exchange.indicators.types import IndicatorType, Refused

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
DOTTED_QUAD = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
"""A regular expression of the one spelling of an IPv4 address that the profile takes."""

NOT_GLOBAL_V4 = tuple(
    IPv4Network(n)
    for n in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared address space of carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the limited broadcast
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
NOT_GLOBAL_V6 = tuple(
    IPv6Network(n)
    for n in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")

_SPECIAL_OCTETS = sorted(
    {o for n in NOT_GLOBAL_V4 for o in range(n.network_address.packed[0], n.broadcast_address.packed[0] + 1)}
)
GLOBAL_QUAD = rf"(?!(?:{'|'.join(map(str, _SPECIAL_OCTETS))})\.){DOTTED_QUAD}"
"""Matches most global IPv4 addresses: those under a first octet in which nothing is special."""

_QUAD = re.compile(DOTTED_QUAD)
_WITH_PORT = re.compile(r"([0-9.]+|\[[^\]/]*\]):([^/:]*)(/.*)?", re.DOTALL)
_BRACKETED = re.compile(r"\[([^\]/]*)\](/.*)?", re.DOTALL)
_ZONE = re.compile(r"%[^/]*")
_PREFIX = re.compile(r"[0-9]{1,3}")
_V4_BITS, _V6_BITS = 32, 128


def check_port(port: str) -> None:
    """Raise ``Refused("bad-port")`` unless ``port`` is a number; it is dropped, whatever its size."""
    if not (port.isascii() and port.isdigit()):
        raise Refused("bad-port")


def family(value: str) -> IndicatorType:
    """The type of a canonical address or network."""
    if "/" in value:
        return IndicatorType.CIDR
    return IndicatorType.IPV6 if ":" in value else IndicatorType.IPV4


def _portless(text: str) -> str:
    if not (parts := _WITH_PORT.fullmatch(text)):
        return text
    check_port(parts[2])
    return parts[1] + (parts[3] or "")


def _bare(text: str) -> str:
    parts = _BRACKETED.fullmatch(text)
    if parts is None:
        return text
    if ":" not in parts[1]:
        raise Refused("bad-address")
    return parts[1] + (parts[2] or "")


def _zoneless(text: str) -> str:
    return _ZONE.sub("", text) if ":" in text else text


def _spelled(text: str) -> str:
    """The one spelling of the address; what follows a slash stays as it is."""
    host, slash, prefix = text.partition("/")
    if ":" not in host:
        if not _QUAD.fullmatch(host):
            raise Refused("bad-address")
        return text
    try:
        return str(IPv6Address(host)) + slash + prefix
    except ValueError:
        raise Refused("bad-address") from None


def _network(text: str) -> str:
    """Host bits cleared; a network of one address is that address."""
    host, slash, prefix = text.partition("/")
    if not slash:
        return text
    bits = _V6_BITS if ":" in host else _V4_BITS
    if not _PREFIX.fullmatch(prefix) or int(prefix) > bits:
        raise Refused("bad-prefix")
    return host if int(prefix) == bits else str(ip_network((host, int(prefix)), strict=False))


def _unmapped(text: str) -> str:
    if not text.startswith("::"):
        return text
    network = IPv6Network(text)
    if not network.subnet_of(_MAPPED):
        return text
    quad = IPv4Address(int(network.network_address) & 0xFFFFFFFF)
    prefix = network.prefixlen - _MAPPED.prefixlen
    return str(quad) if prefix == _V4_BITS else f"{quad}/{prefix}"


def _ranges(networks: Iterable[IPv4Network | IPv6Network]) -> tuple[list[int], list[int]]:
    """First and last addresses of networks that do not overlap, in their order."""
    ordered = sorted((int(n.network_address), int(n.broadcast_address)) for n in networks)
    return [first for first, _ in ordered], [last for _, last in ordered]


_FIRST_V4, _LAST_V4 = _ranges(NOT_GLOBAL_V4)
_FIRST_V6, _LAST_V6 = _ranges(NOT_GLOBAL_V6)


def _global(text: str) -> str:
    """Every address of it must be global: a network that reaches into a private one names no one place."""
    network: IPv4Network | IPv6Network
    if ":" in text:
        network, first, last = IPv6Network(text), _FIRST_V6, _LAST_V6
        special = not network.subnet_of(GLOBAL_V6)
    elif "/" in text:
        network, first, last, special = IPv4Network(text), _FIRST_V4, _LAST_V4, False
    else:
        address = int(IPv4Address(text))
        at = bisect_right(_FIRST_V4, address)
        if at and _LAST_V4[at - 1] >= address:
            raise Refused("not-global")
        return text
    at = bisect_right(first, int(network.broadcast_address))
    if special or (at and last[at - 1] >= int(network.network_address)):
        raise Refused("not-global")
    return text


ADDRESS = (
    Rule("port", "the same server on another port is the same server", _portless, lossy=True),
    Rule("brackets", "they only keep an IPv6 address apart from its port", _bare),
    Rule("zone", "a zone names an interface of the machine that saw the address", _zoneless, lossy=True),
    Rule("address", "a strict dotted quad, or RFC 5952: lower case, zeros compressed", _spelled),
    Rule("network", "host bits say nothing about a network; one of one address is that address", _network),
    Rule("mapped", "an IPv4-mapped IPv6 address is the IPv4 address", _unmapped),
    Rule("global", "an address that is not routed everywhere would match by accident", _global),
)
"""The rules of ``ipv4``, ``ipv6`` and ``cidr``: one family, of which ``family`` tells the type.

Raise ``bad-address``, ``bad-port``, ``bad-prefix``, ``not-global``.
"""
