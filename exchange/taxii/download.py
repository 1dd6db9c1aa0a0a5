"""Reading a collection page by page (TAXII 2.1, sections 3.4 and 5.4).

All of it is in a temporary file before anything is imported: the store is not kept waiting by a network, what
breaks off leaves no half behind, and markings may come after what they mark.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx

from exchange.indicators import Batch
from exchange.indicators.readers import read
from exchange.indicators.readers.base import Options
from exchange.taxii import address, cursor, envelope
from exchange.taxii.spool import Spool
from exchange.taxii.wire import Wire

EXPLAINING = ("marking-definition", "identity", "malware", "tool", "attack-pattern")
"""Types that others refer to.

All of them are read each time: a new object may refer to an old one, and an indicator whose marking is
unknown would count as unmarked.
"""

Span = tuple[datetime, datetime]
_TICK = timedelta(microseconds=1)


class Download:
    """What came of a collection.

    Attributes:
        objects: how many objects came, beside those that only explain others.
        pages: in how many pages.
        incremental: whether only what was added since a cursor was asked for. Then what did not come is not
            gone; otherwise all that the collection has is here.
        cursor: what to store, and to give as ``since`` the next time; ``None`` if the server gives no times.
    """

    def __init__(self, wire: Wire, url: httpx.URL, spool: Spool, since: datetime | None) -> None:
        self.objects = self.pages = 0
        self.incremental = since is not None
        self.cursor = None if since is None else cursor.write(since)
        self._wire, self._spool, self._since = wire, spool, since
        self._url = address.join(url, "objects")

    def batches(self, options: Options = Options()) -> Iterator[Batch]:  # noqa: B008 (frozen)
        """The indicators in what came; revoked ones as withdrawn.

        Raises:
            InputError: the temporary file cannot be read.
        """
        return read(self._spool.path, format="stix", options=options)

    def run(self, progress: Callable[[int], None]) -> None:
        """Read it all.

        Args:
            progress: is called with the number of objects so far.

        Raises:
            InputError: the server cannot be reached, refuses, or sends what is no TAXII.
        """
        began, last = self._wire.now(), None
        filters = {}
        if self._since is not None:
            for _ in self._pages({"match[type]": ",".join(EXPLAINING)}, self._explain):
                pass
            filters["added_after"] = cursor.write(self._since)
        for count, span in self._pages(filters, self._spool.put):
            self.objects += count
            self.pages += 1
            if span is not None:
                last = span[1] if last is None else max(last, span[1])
            progress(self.objects)
        self._spool.close()
        reached = cursor.advance(self._since, last, began)
        self.cursor = None if reached is None else cursor.write(reached)

    def _explain(self, item: dict[str, Any]) -> None:
        if item.get("type") in EXPLAINING:
            self._spool.put(item)

    def _pages(
        self, filters: dict[str, str], take: Callable[[dict[str, Any]], None]
    ) -> Iterator[tuple[int, Span | None]]:
        """Every page of a request: how many objects it had, and when they were added.

        No page may repeat an earlier one, whatever the server calls it: ``next`` alone says nothing, as some
        servers give the same one on every page.
        """
        limits = self._wire.limits
        filters = {"limit": str(limits.page_objects), **filters}
        asked, seen, empty = filters, set[bytes](), 0
        for _ in range(limits.pages):
            with self._wire.get(self._url, asked, most_bytes=limits.page_bytes) as answer:
                page = envelope.parse(answer, take, self._wire.misbehaved)
                span = cursor.added(answer.headers)
            yield page.objects, span
            if not page.more:
                return
            digest = self._spool.page()
            empty = 0 if page.objects else empty + 1
            if (page.objects and digest in seen) or empty > limits.empty_pages:
                break
            seen.add(digest)
            if page.next is not None:
                asked = {**filters, "next": page.next}
            else:
                asked = filters = {**filters, "added_after": self._onward(span)}
        raise self._wire.misbehaved("sends page after page without an end")

    def _onward(self, span: Span | None) -> str:
        """Where to go on if a server has more but does not say how: just before the last time of its page.

        Objects of that very time may be on both sides of the cut, so they are asked for again. Where a whole
        page is of one time, there is no way on.

        Raises:
            InputError: as said.
        """
        if span is None or span[0] >= span[1]:
            raise self._wire.misbehaved("has more, but gives no way to ask for it")
        return cursor.write(span[1] - _TICK)
