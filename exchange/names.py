"""What can be the name of a member, the name of an alliance, an address."""

import re

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,%d}[a-z0-9])?"
_MEMBER = re.compile(_LABEL % 38)
_ALLIANCE = re.compile(rf"(?=.{{3,64}}\Z){_LABEL % 61}(?:\.{_LABEL % 61})+")
_HOST = re.compile(r"\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORTS = range(1 << 16)


def is_member_id(text: str) -> bool:
    """Whether the text is a member id: a lower-case DNS label of at most 40 characters."""
    return _MEMBER.fullmatch(text) is not None


def is_alliance_name(text: str) -> bool:
    """Whether the text is an alliance name: a lower-case DNS name with a dot, at most 64 characters."""
    return _ALLIANCE.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether the text is ``HOST:PORT``; a literal IPv6 address stands in brackets."""
    host, _, port = text.rpartition(":")
    return (
        _HOST.fullmatch(host) is not None
        and re.fullmatch(r"[0-9]{1,5}", port) is not None
        and int(port) in _PORTS
    )
