"""Addresses and networks: ``ipv4``, ``ipv6``, ``cidr``.

Which addresses are global is part of the profile, so the table stands here: that of the standard library
changes between versions of Python.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 4291, RFC 5952.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from exchange.indicators.types import Indicator, IndicatorType, Refused

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
_PARTS = re.compile(
    r"(?:(?P<bare4>[0-9.]+)|(?P<bare6>[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*)|\[(?P<in6>[^\]/]*)\])"
    r"(?:%[^\]/:]*)?(?::(?P<port>[^/:]*))?(?:/(?P<prefix>.*))?",
    re.IGNORECASE | re.DOTALL,
)


def canonical_address(text: str) -> Indicator:
    """An address or a network, with or without a port or a zone, which are dropped.

    Host bits of a network are cleared; a network of one address is that address; an IPv4-mapped IPv6 address
    or network is the IPv4 one.

    Args:
        text: already cleaned.

    Raises:
        Refused: ``bad-address``, ``bad-port``, ``bad-prefix``, ``not-global``.
    """
    parts = _PARTS.fullmatch(text)
    if not parts:
        raise Refused("bad-address")
    host = parts["bare4"] or parts["bare6"] or (parts["in6"] or "").partition("%")[0]
    if parts["port"] is not None:
        check_port(parts["port"])
    address = _parse(host)
    prefix = parts["prefix"]
    if prefix is None:
        return _address(address)
    if not re.fullmatch(r"[0-9]{1,3}", prefix) or int(prefix) > address.max_prefixlen:
        raise Refused("bad-prefix")
    return _network(ip_network((address, int(prefix)), strict=False))


def check_port(port: str) -> None:
    """Raise ``Refused("bad-port")`` unless ``port`` is a number; it is dropped, whatever its size."""
    if not (port.isascii() and port.isdigit()):
        raise Refused("bad-port")


def _parse(host: str) -> IPv4Address | IPv6Address:
    if ":" not in host:
        if not _QUAD.fullmatch(host):
            raise Refused("bad-address")
        return IPv4Address(host)
    try:
        return IPv6Address(host)
    except ValueError:
        raise Refused("bad-address") from None


def _address(address: IPv4Address | IPv6Address) -> Indicator:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    _check_global(ip_network(address))
    kind = IndicatorType.IPV4 if address.version == 4 else IndicatorType.IPV6  # noqa: PLR2004
    return Indicator(kind, str(address))


def _network(network: IPv4Network | IPv6Network) -> Indicator:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        quad = IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        network = IPv4Network((quad, network.prefixlen - _MAPPED.prefixlen))
    if network.num_addresses == 1:
        return _address(network.network_address)
    _check_global(network)
    return Indicator(IndicatorType.CIDR, str(network))


def _check_global(network: IPv4Network | IPv6Network) -> None:
    """Every address of it must be global: a network that reaches into a private one names no one place."""
    if isinstance(network, IPv4Network):
        special = any(network.overlaps(n) for n in NOT_GLOBAL_V4)
    else:
        special = not network.subnet_of(GLOBAL_V6) or any(network.overlaps(n) for n in NOT_GLOBAL_V6)
    if special:
        raise Refused("not-global")
