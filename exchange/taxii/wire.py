"""Requests to one TAXII server, and to no other: bounded in bytes and time, patient when it is busy."""

import json
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from exchange.errors import ConfigError, InputError
from exchange.taxii import address, credentials
from exchange.taxii.limits import Limits
from exchange.version import SOFTWARE

MEDIA_TYPE = "application/taxii+json;version=2.1"

_HEADERS = {"Accept": MEDIA_TYPE, "Accept-Encoding": "gzip", "User-Agent": SOFTWARE.replace(" ", "/")}
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_MOVED = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_PIECE = 1 << 16
_GZIP = 31  # zlib's "wbits" for a gzip stream
_UNTRUSTED = "if its certificate is from an authority of your own, name that: SSL_CERT_FILE=FILE"
_CREDENTIALS = f"{credentials.USER} and {credentials.PASSWORD}, {credentials.TOKEN}, or ~/.netrc"
_REFUSED = {
    401: ("does not accept our credentials, or wants some", _CREDENTIALS),
    403: ("does not let us read that", "ask who runs it for the right to read"),
    404: ("has nothing at this address, or hides it from us", "check the address and the credentials"),
    406: ("does not speak TAXII 2.1", "no other version is supported; import a file of STIX instead"),
}


class Wire:
    """A connection to the server of one URL, used as ``with``.

    Args:
        url: any URL of the server.
        ca: a file of certificates to trust beside the usual ones; ``None`` for those alone.
        environ: where credentials are looked for.
        limits: what we put up with.
        sleep: waits so many seconds.
    """

    def __init__(
        self, url: httpx.URL, *, ca: Path | None, environ: Mapping[str, str], limits: Limits,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.limits = limits
        self._home = url
        self._now: datetime | None = None
        self._sleep = sleep
        # Through a proxy, plain HTTP would leave this machine.
        self._client = httpx.Client(
            verify=_trust(ca) if url.scheme == "https" else True, trust_env=url.scheme == "https",
            headers=_HEADERS | credentials.find(url.host, environ).headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(limits.silence_s, connect=min(20, limits.silence_s)),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def origin(self) -> str:
        """The server, as errors call it."""
        return f"{self._home.scheme}://{self._home.netloc.decode('ascii')}"

    def now(self) -> datetime:
        """The server's time when it last answered; ours, if it does not say."""
        return self._now or datetime.now(UTC)

    def misbehaved(self, what: str) -> InputError:
        """An error that is the server's fault."""
        hint = "is it the address of a TAXII 2.1 server? nothing was imported"
        return InputError(f"{self.origin} {what}", code="taxii-misbehaved", hint=hint)

    def unavailable(self, what: str, hint: str) -> InputError:
        """An error that may go away by itself."""
        return InputError(f"{self.origin} {what}", code="taxii-unavailable", hint=hint)

    def document(self, url: httpx.URL) -> dict[str, Any]:
        """A resource that is no page of objects: small, and read whole.

        Raises:
            InputError: as ``get``; or it is no JSON object.
        """
        with self.get(url, most_bytes=self.limits.document_bytes) as answer:
            data = b"".join(iter(answer.read, b""))
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.misbehaved("answered with what is no JSON object")
        return found

    @contextmanager
    def get(
        self, url: httpx.URL, parameters: Mapping[str, str] | None = None, *, most_bytes: int
    ) -> Iterator["Answer"]:
        """Request a resource.

        Only what a server has not begun to answer is asked for again: some servers forget a page once they
        have sent it, and a second request for it would skip its objects.

        Raises:
            InputError: ``taxii-unavailable``, ``taxii-refused`` or ``taxii-misbehaved``.
        """
        if parameters:
            url = url.copy_merge_params(dict(parameters))
        redirects = busy = 0
        deadline = time.monotonic() + self.limits.answer_s
        while True:
            with self._errors(), self._client.stream("GET", url) as response:
                if response.status_code in _MOVED:
                    url = self._moved(response)
                    redirects += 1
                    if redirects > _MAX_REDIRECTS:
                        raise self.misbehaved("sends us round in circles")
                    continue
                if response.status_code not in _BUSY:
                    self._check(response)
                    self._now = _http_date(response.headers.get("Date", ""))
                    yield Answer(self, response, most_bytes, deadline)
                    return
                wait_s = self._patience(response, busy)
            busy += 1
            self._sleep(wait_s)
            deadline = time.monotonic() + self.limits.answer_s

    def _patience(self, response: httpx.Response, busy: int) -> float:
        """How many seconds to wait before the next attempt."""
        if busy + 1 >= self.limits.attempts:
            raise self.unavailable(f"is still busy after {busy + 1} attempts", "try again later")
        wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
        if wait_s is None:
            return min(self.limits.wait_s, 2.0**busy)
        if wait_s > self.limits.wait_s:
            raise self.unavailable(f"is busy, and wants to be asked again in {wait_s:,.0f} s", "do that")
        return wait_s

    def _moved(self, response: httpx.Response) -> httpx.URL:
        try:
            url = response.url.join(response.headers.get("Location", ""))
        except (httpx.InvalidURL, ValueError):
            raise self.misbehaved("sends us to what is no URL") from None
        if not address.same_origin(url, self._home) or url.userinfo:
            raise InputError(
                f"{self.origin} sends us to another server",
                code="taxii-refused", hint="if you trust that one, give its address; nothing was sent to it",
            )  # fmt: skip
        return url

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in _REFUSED:
            what, hint = _REFUSED[status]
            raise InputError(f"{self.origin} {what} (HTTP {status})", code="taxii-refused", hint=hint)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.unavailable(f"has an error of its own (HTTP {status})", "try again later")
        if status != HTTPStatus.OK:
            raise InputError(f"{self.origin} refuses our request (HTTP {status})", code="taxii-refused")
        kind, *rest = response.headers.get("Content-Type", "").lower().replace(" ", "").split(";")
        versions = {part for part in rest if part.startswith("version=")}
        if kind != "application/taxii+json" or not versions <= {"version=2.1"}:
            raise self.misbehaved("answers, but not in TAXII 2.1")
        if response.headers.get("Content-Encoding", "identity").lower() not in {"gzip", "identity"}:
            raise self.misbehaved("uses a compression that we did not ask for")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the library raises, in our words: its own may show a request with its credentials."""
        try:
            yield
        except httpx.TimeoutException:
            raise self.unavailable(f"did not answer for {self.limits.silence_s:.0f} s", "try again") from None
        except httpx.ConnectError as e:
            if "CERTIFICATE_VERIFY_FAILED" in str(e):
                raise self.unavailable("shows a certificate that we do not trust", _UNTRUSTED) from None
            raise self.unavailable("cannot be reached", "check the address and the network") from None
        except UnicodeError:  # of the library that reads host names, where a redirect has an impossible one
            raise self.misbehaved("sends us to what is no URL") from None
        except httpx.RequestError:
            raise self.unavailable("broke off the connection, or speaks no HTTP", "try again") from None


class Answer:
    """The body of an answer, decompressed as it is read."""

    def __init__(self, wire: Wire, response: httpx.Response, most_bytes: int, deadline: float) -> None:
        self.headers = response.headers
        self._wire, self._response, self._deadline = wire, response, deadline
        self._left = most_bytes
        zipped = response.headers.get("Content-Encoding", "").lower() == "gzip"
        self._pieces = self._inflated() if zipped else self._raw()

    def read(self, size: int = -1) -> bytes:
        """The next piece, whatever its length; nothing at the end, or if nothing is asked for.

        Raises:
            InputError: too much, too slow, or damaged.
        """
        if size == 0:  # ijson asks so whether it is bytes that come
            return b""
        piece = next((p for p in self._pieces if p), b"")
        self._left -= len(piece)
        if self._left < 0:
            raise self._wire.misbehaved("sends more in one answer than we take")
        return piece

    def _raw(self) -> Iterator[bytes]:
        for piece in self._response.iter_raw():
            if time.monotonic() > self._deadline:
                took = f"took longer than {self._wire.limits.answer_s:.0f} s to answer"
                raise self._wire.unavailable(took, "try again later")
            yield piece

    def _inflated(self) -> Iterator[bytes]:
        """Decompressed in small pieces, so that a bomb is noticed before it bursts."""
        inflater = zlib.decompressobj(_GZIP)
        try:
            for data in self._raw():
                piece = inflater.decompress(data, _PIECE)
                while piece:
                    yield piece
                    piece = inflater.decompress(inflater.unconsumed_tail, _PIECE)
        except zlib.error as e:
            raise self._wire.misbehaved("sends damaged gzip data") from e
        if not inflater.eof or inflater.unused_data:
            raise self._wire.misbehaved("sends damaged gzip data")


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context()  # heeds SSL_CERT_FILE and SSL_CERT_DIR
        if ca is not None:
            context.load_verify_locations(ca)
    except OSError as e:  # which errors of TLS are, too
        where = "SSL_CERT_FILE" if ca is None else str(ca)
        raise ConfigError(f"no certificates to trust can be read from {where}") from e
    return context


def _retry_after_s(text: str) -> float | None:
    """What a ``Retry-After`` says: seconds, or a date (RFC 9110, section 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    when = _http_date(text)
    return None if when is None else max(0.0, (when - datetime.now(UTC)).total_seconds())


def _http_date(text: str) -> datetime | None:
    """The time that a header says, or ``None``."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
