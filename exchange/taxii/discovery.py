"""From an address to one collection that we may read (TAXII 2.1, sections 4.1, 4.2, 5.1 and 5.2)."""

from dataclasses import dataclass
from typing import Any

import httpx

from exchange.errors import InputError
from exchange.taxii import address
from exchange.taxii.wire import Wire

_MOST_SHOWN = 20
_MOST_ROOTS = 20
_MAX_TITLE = 80


@dataclass(frozen=True, slots=True)
class Found:
    """A collection, as its server describes it.

    Attributes:
        root: the URL of its API root.
        id: its identifier.
        title: its name for people, without control characters.
        readable: whether the server lets us read it.
    """

    root: httpx.URL
    id: str
    title: str
    readable: bool

    @property
    def url(self) -> httpx.URL:
        """Where it is."""
        return address.join(self.root, "collections", self.id)


def find(wire: Wire, url: httpx.URL) -> Found:
    """The collection that an address means: its own, or the only one that we may read below it.

    Raises:
        InputError: ``taxii-choose``, which lists the collections; or the server fails us.
    """
    if parts := address.split(url):
        root, name = parts
        document = wire.document(address.join(root, "collections", name))
        found = _collection(root, document)
        # A server may know a collection by an alias, too; what it is called stays what the operator wrote.
        if found is None:
            raise wire.misbehaved("describes no collection where one should be")
        if not found.readable:
            raise InputError(
                f"{wire.origin} does not let us read the collection {found.title}",
                code="taxii-refused", hint="ask who runs it for the right to read",
            )  # fmt: skip
        return Found(root, name, found.title, readable=True)
    elsewhere: list[str] = []
    roots = _roots(wire, url, elsewhere)
    candidates = [
        c for root in roots for c in _collections(wire, root, elsewhere if len(roots) > 1 else None)
    ]
    readable = [c for c in candidates if c.readable]
    if len(readable) == 1:
        return readable[0]
    raise _choose(wire, readable, elsewhere, len(candidates))


def shown(text: object) -> str:
    """A server's text for a screen: one line of printable characters."""
    clean = "".join(c for c in text if c.isprintable()) if isinstance(text, str) else ""
    return clean[:_MAX_TITLE].strip() or "without a title"


def _roots(wire: Wire, url: httpx.URL, elsewhere: list[str]) -> list[httpx.URL]:
    """The API roots below a URL: itself, or those that the server names as its own; others go elsewhere."""
    if root := address.root_of_collections(url):
        return [root]
    document = wire.document(address.join(url, "taxii2") if url.path == "/" else url)
    names = document.get("api_roots")
    if not isinstance(names, list):
        return [url]  # an API root describes itself, without such a list
    roots = []
    for name in names[:_MOST_ROOTS]:
        try:
            root = address.join(url.join(name))
        except (httpx.InvalidURL, TypeError, ValueError):
            raise wire.misbehaved("names an API root that is no URL") from None
        if address.same_origin(root, url) and not root.userinfo:
            roots.append(root)
        else:
            elsewhere.append(f"{address.written(root.copy_with(userinfo=b''))}  another server's")
    return roots


def _collections(wire: Wire, root: httpx.URL, closed: list[str] | None) -> list[Found]:
    """The collections of a root. One of several roots may be closed to us; the others count."""
    try:
        document = wire.document(address.join(root, "collections"))
    except InputError as e:
        if closed is None or e.code != "taxii-refused":
            raise
        closed.append(f"{address.written(root)}  closed to us")
        return []
    listed = document.get("collections", [])
    if not isinstance(listed, list):
        raise wire.misbehaved('has "collections" that are no list')
    return [found for entry in listed if (found := _collection(root, entry))]


def _collection(root: httpx.URL, entry: Any) -> Found | None:
    if not isinstance(entry, dict) or not address.is_identifier(entry.get("id")):
        return None
    return Found(root, entry["id"], shown(entry.get("title")), entry.get("can_read") is True)


def _choose(wire: Wire, readable: list[Found], elsewhere: list[str], known: int) -> InputError:
    lines = [f"{address.written(c.url)}  {c.title}" for c in readable]
    lines += elsewhere
    if not lines:
        hint = "the credentials may be missing" if known else ""
        return InputError(
            f"{wire.origin} has no collection that we may read", code="taxii-refused", hint=hint
        )
    listed = "".join(f"\n  {line}" for line in lines[:_MOST_SHOWN])
    more = f"\n  and {len(lines) - _MOST_SHOWN:,} more" if len(lines) > _MOST_SHOWN else ""
    return InputError(
        f"{wire.origin} has several collections, or other API roots:{listed}{more}",
        code="taxii-choose", hint="give the address of one",
    )  # fmt: skip
