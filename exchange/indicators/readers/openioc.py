"""OpenIOC 1.0 and 1.1 of Mandiant: XML with a tree of conditions.

A condition ``is`` under nothing but OR is a value. Under an AND of several conditions no single value stands
for them all: refused. Other conditions, and negated ones, are no equality: refused. Terms for the machine
that was looked at describe a victim: its own addresses, its names, its users, and whom mail was sent to.

The document is read as it comes and no tree is kept. A document type, and with it every entity of its own, is
refused: no indicator needs one, and that is how XML expands to gigabytes or fetches files.

Source: Mandiant, OpenIOC 1.0 ``ioc.xsd`` and 1.1 ``openioc.xsd``; the terms of ``IOCTerms``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ErrorString

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from exchange.errors import InputError
from exchange.indicators.batch import Candidate
from exchange.indicators.context import MAX_COMMENT_CHARS, MAX_ENTRIES, Context, as_text, as_texts
from exchange.indicators.readers.base import Format, Options
from exchange.indicators.readers.context_columns import UNKNOWN_MARKING
from exchange.indicators.readers.source import Source
from exchange.indicators.tlp import Tlp
from exchange.indicators.types import MAX_VALUE_CHARS, IndicatorType, Refused

_DESCRIBED = ("short_description", "authored_by", "keywords")
_FAMILIES = ("family", "malware", "malwarefamily")
_ROOT = re.compile(r"<(?:\w+:)?(?:ioc|OpenIOC)[\s>]")
_NAMESPACE = re.compile(r"schemas\.mandiant\.com/20\d\d/ioc|openioc\.org/schemas")
_BLOCK = 1 << 16
_MAX_DEPTH = 64
_MAX_SILENCE = 16 << 20  # the most bytes in which nothing starts, ends or says anything
_MAX_WAITING = 10_000

_TERMS = {
    IndicatorType.DOMAIN: """network/dns dnsentryitem/host dnsentryitem/recordname
        dnsentryitem/recorddata/host urlhistoryitem/hostname cookiehistoryitem/hostname
        formhistoryitem/hostname""",
    IndicatorType.IPV4: """portitem/remoteip dnsentryitem/recorddata/ipv4address routeentryitem/destination
        routeentryitem/destination/ip network/ip network/iprange""",
    IndicatorType.URL: "network/uri network/url urlhistoryitem/url filedownloadhistoryitem/sourceurl",
    IndicatorType.EMAIL: "email/from email/replyto",
    IndicatorType.FILE_NAME: """fileitem/filename fileitem/fullpath fileitem/filenamecreated
        email/attachment/name processitem/name""",
    IndicatorType.MUTEX: """processitem/handlelist/handle/name processitem/mutex processitem/mutex/name
        mutex/name""",
    IndicatorType.IMPHASH: "fileitem/peinfo/imphash",
}
_KINDS = {term: kind for kind, terms in _TERMS.items() for term in terms.split()}
# serviceDLLmd5sum, Sha256sum, TaskItem/sha1sum: the last word says it.
_DIGEST = re.compile(r".*/\w*?(?P<kind>md5|sha1|sha224|sha256|sha384|sha512)(?:sum|hash)?")
_VICTIM = re.compile(
    r"(?:systeminfoitem|useritem|systemrestoreitem)/.*|email/(?:to|cc|bcc)|portitem/localip"
    r"|\w+/(?:username|user|accountname|fileowner|securityid)"
)
_TERM = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9]{1,24}){1,4}")


def _candidates(source: Source, _options: Options) -> Iterator[Candidate]:
    document = _Document(source)
    # What has a byte order mark of UTF-16 is UTF-8 by now, whatever its declaration says.
    encoding = "utf-8" if source.encoding == "utf-16" else None
    parser = DefusedXMLParser(target=document, encoding=encoding, forbid_dtd=True)
    stream, silence = source.binary(), 0
    try:
        while block := stream.read(_BLOCK):
            before = document.heard
            parser.feed(block)
            yield from document.taken()
            silence = silence + len(block) if document.heard == before else 0
            if silence > _MAX_SILENCE:
                raise InputError(f"{source.name}: a single tag or comment of more than 16 MiB")
        parser.close()
    except ParseError as e:
        line, column = e.position
        what = f"{source.name}, line {line}, column {column + 1}: not XML: {ErrorString(e.code)}"
        raise InputError(what, hint="fetch the file again, or ask its producer") from e
    except DefusedXmlException as e:
        what = f"{source.name} declares a document type or entities"
        raise InputError(what, hint="no OpenIOC file needs them") from e
    except (LookupError, ValueError):
        raise InputError(f"{source.name}: not in the encoding it declares", hint="save it as UTF-8") from None
    yield from document.taken()
    if not document.items:
        what = f"{source.name}: there is no condition of OpenIOC in it"
        raise InputError(what, hint="is it the right --format?")


@dataclass(slots=True)
class _Operator:
    """An open ``Indicator``: how it joins, how many, and what waits for an AND to end with a single one."""

    is_and: bool
    children: int = 0
    waiting: list[tuple[str, IndicatorType, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Item:
    """An open ``IndicatorItem``: whether it is an equality, of what, and with what."""

    is_equality: bool
    term: str = ""


class _Document:
    """What a parser tells of a document, and what has come out of it so far.

    Attributes:
        items: how many conditions have ended.
        heard: how often the parser told anything.
    """

    def __init__(self, source: Source) -> None:
        self.items = self.heard = 0
        self._source = source
        self._depth = 0
        self._operators: list[_Operator] = []
        self._item: _Item | None = None
        self._text, self._rel = "", ""
        self._value = ""
        self._told: list[tuple[str, str]] = []
        self._context: Context | None = None
        self._out: list[Candidate] = []

    def taken(self) -> list[Candidate]:
        """What came out since the last call."""
        out, self._out = self._out, []
        return out

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element starts."""
        self.heard += 1
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InputError(f"{self._source.name}: XML nested more than {_MAX_DEPTH} deep")
        self._text = ""
        name = _local(tag)
        if name in ("Indicator", "IndicatorItem"):
            self._joined()
        if name == "Indicator":
            self._operators.append(_Operator(attributes.get("operator", "OR").upper() == "AND"))
        elif name == "IndicatorItem":
            negated = attributes.get("negate", "false").lower() in ("true", "1")
            self._item = _Item(attributes.get("condition", "is").lower() == "is" and not negated)
            self._value = ""
        elif name == "Context" and self._item:
            self._item.term = attributes.get("search", "")
        elif name == "link":
            self._rel = as_text(attributes.get("rel", "")).lower()

    def data(self, text: str) -> None:
        """Text, or a part of it."""
        self.heard += 1
        if len(self._text) <= MAX_VALUE_CHARS:  # one more than that is refused as too long
            self._text += text[: MAX_VALUE_CHARS + 1]

    def end(self, tag: str) -> None:
        """An element ends."""
        self.heard += 1
        self._depth -= 1
        name = _local(tag)
        if name == "Content" and self._item:
            self._value = self._text
        elif name == "IndicatorItem" and self._item:
            self._condition(self._item)
            self._item = None
        elif name == "Indicator":
            for waiting in self._operators.pop().waiting:
                self._settle(*waiting)
        elif name in ("ioc", "OpenIOC"):
            self._told, self._context = [], None
        elif not self._operators and (name in _DESCRIBED or name == "link"):
            if len(self._told) < MAX_ENTRIES:
                self._told.append((self._rel if name == "link" else name, self._text))
            self._context = None
        self._text = ""

    def close(self) -> None:
        """The document ends."""

    def _joined(self) -> None:
        """One more condition or group in the group that is open."""
        if self._operators:
            group = self._operators[-1]
            group.children += 1
            if group.is_and and group.children > 1:
                for _, _, place in group.waiting:
                    self._refuse("pattern-and", place)
                group.waiting.clear()

    def _condition(self, item: _Item) -> None:
        self.items += 1
        place = f"IndicatorItem {self.items}"
        if _TERM.fullmatch(item.term):
            place += f" ({item.term})"
        term = item.term.lower()
        digest = _DIGEST.fullmatch(term)
        kind = IndicatorType(digest["kind"]) if digest else _KINDS.get(term)
        if _VICTIM.fullmatch(term):
            self._refuse("victim-field", place)
        elif not item.is_equality:
            self._refuse("pattern-comparison", place)
        elif kind is None:
            self._refuse("unsupported-type", place)
        else:
            self._settle(self._value, kind, place)

    def _settle(self, value: str, kind: IndicatorType, place: str) -> None:
        """A value is out if no AND is around it; it waits where that may still be one of a single thing."""
        group = next((o for o in reversed(self._operators) if o.is_and), None)
        if group is None:
            self._out.append((value, kind, self._said()))
        elif group.children > 1:
            self._refuse("pattern-and", place)
        elif len(group.waiting) < _MAX_WAITING:
            group.waiting.append((value, kind, place))
        else:
            what = (
                f"{self._source.name}: a single group of more than {_MAX_WAITING:,} conditions under an AND"
            )
            raise InputError(what, hint="what joins them should be OR")

    def _refuse(self, reason: str, place: str) -> None:
        self._out.append(("", Refused(reason, place), None))

    def _said(self) -> Context | None:
        """What the head of the document says; one object for all of its values."""
        if self._context is None:
            told: dict[str, list[str]] = {}
            for name, text in self._told:
                told.setdefault(name, []).append(text)
            comment, producer, keywords = (" ".join(told.pop(name, ())) for name in _DESCRIBED)
            markings = told.pop("tlp", [])
            families = [text for rel in _FAMILIES for text in told.pop(rel, ())]
            links = [f"{rel}:{text}" for rel, texts in told.items() for text in texts]
            self._context = Context(
                tlp=self._marking(markings),
                producer=as_text(producer),
                malware=as_texts(families),
                tags=as_texts([*keywords.split(), *links]),
                comment=as_text(comment, most=MAX_COMMENT_CHARS),
            )
        return self._context or None

    def _marking(self, texts: list[str]) -> Tlp | None:
        found: list[Tlp] = []
        for text in texts:
            try:
                found.append(Tlp.parse(text))
            except ValueError:
                self._source.notes[UNKNOWN_MARKING] += 1
        return max(found, key=list(Tlp).index, default=None)


def _local(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def _score(sample: str) -> float:
    """Certain of the namespaces, nearly so of the names of the root."""
    if not sample.lstrip().startswith("<"):
        return 0.0
    return 1.0 if _NAMESPACE.search(sample) else 0.9 if _ROOT.search(sample) else 0.0


FORMAT = Format("openioc", _score, _candidates)
