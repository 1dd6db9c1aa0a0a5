"""Reading from TAXII 2.1 servers: a small client that contacts the server it is told to, and no other.

    with taxii.connect("taxii+https://HOST/API-ROOT/collections/ID/") as collection:
        with collection.download(since=cursor) as got:
            ...  # got.batches(), got.incremental, got.cursor

Source: OASIS TAXII Version 2.1, https://docs.oasis-open.org/cti/taxii/v2.1/os/taxii-v2.1-os.html
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from exchange.taxii import address, cursor, discovery
from exchange.taxii.address import is_address
from exchange.taxii.download import Download
from exchange.taxii.limits import Limits
from exchange.taxii.spool import Spool
from exchange.taxii.wire import Wire

__all__ = ["Collection", "Download", "Limits", "connect", "is_address"]


class Collection:
    """A collection that we may read.

    Attributes:
        address: how to write it, always the same for the same collection: ``taxii+https://.../collections/ID/``.
        title: what its server calls it; printable, at most 80 characters.
        host: the server's name, without a port.
    """

    def __init__(self, wire: Wire, found: discovery.Found) -> None:
        self.address = address.written(found.url)
        self.title = found.title
        self.host = found.url.host
        self._wire, self._url = wire, found.url

    @contextmanager
    def download(
        self, *, since: str | None = None, progress: Callable[[int], None] = lambda _objects: None
    ) -> Iterator[Download]:
        """Read it into a temporary file, which is there as long as the context lasts.

        Args:
            since: the cursor of the last download, to read only what was added after it; ``None`` for all.
            progress: is called with the number of objects so far.

        Raises:
            InputError: ``taxii-unavailable``, ``taxii-refused``, ``taxii-misbehaved``; ``taxii-cursor`` if
                ``since`` is no cursor; or the temporary file cannot be written.
        """
        after = None if since is None else cursor.parse(since)
        with Spool.open(self._wire) as spool:
            got = Download(self._wire, self._url, spool, after)
            got.run(progress)
            yield got


@contextmanager
def connect(
    text: str,
    *,
    ca: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Collection]:
    """Find the collection that an address means.

    Args:
        text: the address of a collection; or of an API root or a server with one collection that we may read.
        ca: a file of certificates to trust beside the usual ones.
        environ: where credentials are looked for.
        limits: what we put up with.
        sleep: waits so many seconds.

    Raises:
        InputError: ``taxii-address``; ``taxii-choose`` where there are several; ``taxii-unavailable``,
            ``taxii-refused``, ``taxii-misbehaved``.
        ConfigError: credentials or certificates cannot be used as they are.
    """
    url = address.parse(text)
    with Wire(url, ca=ca, environ=environ, limits=limits, sleep=sleep) as wire:
        yield Collection(wire, discovery.find(wire, url))
