"""Who we are to a TAXII server. A secret is in the environment or in ``~/.netrc``, and is never shown."""

import netrc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from exchange.errors import ConfigError

USER, PASSWORD, TOKEN = "COSIGHT_TAXII_USER", "COSIGHT_TAXII_PASSWORD", "COSIGHT_TAXII_TOKEN"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


@dataclass(frozen=True, slots=True)
class Credentials:
    """What goes into the ``Authorization`` header, if anything. Its repr shows none of it."""

    authorization: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The header, or none."""
        return {} if self.authorization is None else {"Authorization": self.authorization}


def find(host: str, environ: Mapping[str, str]) -> Credentials:
    """The credentials for a host: the token, user and password of the environment, or the host's in netrc.

    An entry ``default`` in netrc is not heeded: a password goes to the host it is meant for, and to no other.

    Args:
        host: of the server, without its port.
        environ: the environment; ``NETRC`` in it names another file than ``~/.netrc``.

    Raises:
        ConfigError: half of the credentials are missing, or they cannot be sent, or netrc cannot be read.
    """
    token, user, password = (environ.get(name) for name in (TOKEN, USER, PASSWORD))
    if token and user:
        raise ConfigError(f"{TOKEN} and {USER} are both set", hint="a server takes one of them")
    if token:
        if not _TOKEN.fullmatch(token):
            raise ConfigError(f"{TOKEN} holds what no bearer token may hold, such as a line break")
        return Credentials(f"Bearer {token}")
    if user or password:
        if not (user and password):
            raise ConfigError(f"of {USER} and {PASSWORD}, only one is set")
        return _basic(user, password)
    return _from_netrc(host, environ)


def _from_netrc(host: str, environ: Mapping[str, str]) -> Credentials:
    path = Path(environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        entry = netrc.netrc(path).hosts.get(host)
    except FileNotFoundError:
        return Credentials()
    except (netrc.NetrcParseError, OSError, UnicodeError) as e:
        # The parser's own text may quote the file.
        raise ConfigError(f"{path} cannot be read, or is no netrc file", hint="mend it, or chmod 600") from e
    return Credentials() if entry is None else _basic(entry[0], entry[2] or "")


def _basic(user: str, password: str) -> Credentials:
    if ":" in user:
        raise ConfigError("a user name with a colon cannot be sent (RFC 7617)")
    request = httpx.Request("GET", "https://localhost")
    flow = httpx.BasicAuth(user, password).sync_auth_flow(request)
    return Credentials(next(flow).headers["Authorization"])
