r"""Names of mutexes and of files: what malware leaves on a machine, as far as names can be compared.

Both are declared lossy. Case goes, though mutexes and most Unix files have it: reports do not keep it.

Source: Microsoft, "Kernel object namespaces" (``Global\``, ``Local\``) and "Naming Files, Paths, and
Namespaces" (characters that no name has, dots and spaces at the end).
"""

import re
import unicodedata

from exchange.indicators.rules import Rule
from exchange.indicators.types import Refused

MAX_MUTEX_CHARS = 260
MAX_FILE_NAME_CHARS = 255

_BACKSLASHES = re.compile(r"\\+")
_NAMESPACE = re.compile(
    r"(?:\\?(?:sessions\\[0-9]+\\)?basenamedobjects\\|\\?global\\|\\?local\\|\\?session\\[0-9]+\\)+"
)
_DEFANGED_DOT = re.compile(r"(?<![\[({])[\[({]+(?:\.|dot)[\])}]+", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\]")
_IN_NO_NAME = re.compile(r'[<>"|?*/\\]')


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def _single_backslashes(text: str) -> str:
    return _BACKSLASHES.sub(r"\\", text)


def _without_namespace(text: str) -> str:
    found = _NAMESPACE.match(text)
    return text[found.end() :].strip() if found else text


def _mutex(text: str) -> str:
    if not text or "\\" in text:
        raise Refused("bad-name")
    if len(text) > MAX_MUTEX_CHARS:
        raise Refused("too-long")
    return text


def _unquoted(text: str) -> str:
    return text.strip('"')


def _last_component(text: str) -> str:
    return _SEPARATOR.split(text)[-1].strip()


def _refanged(text: str) -> str:
    return _DEFANGED_DOT.sub(".", text)


def _without_trailing_dots(text: str) -> str:
    return text.rstrip(". ")


def _file_name(text: str) -> str:
    if not any(map(str.isalnum, text)) or _IN_NO_NAME.search(text):
        raise Refused("bad-name")
    if len(text) > MAX_FILE_NAME_CHARS:
        raise Refused("too-long")
    return text


_CASE = Rule(
    "case", "reports do not keep it, and Windows does not tell files apart by it", _folded, lossy=True
)

MUTEX = (
    Rule("backslashes", "two are one, escaped", _single_backslashes),
    _CASE,
    Rule("namespace", "which sessions see a mutex depends on the machine", _without_namespace, lossy=True),
    Rule("mutex name", "something is left, without backslashes, of at most 260 characters", _mutex),
)
"""The rules of ``mutex``. Raise ``bad-name``, ``too-long``."""

FILE_NAME = (
    Rule("quotes", "they are the report's", _unquoted),
    Rule(
        "path",
        "where a file is depends on the machine; its name is the last component",
        _last_component,
        lossy=True,
    ),
    Rule("refang", "dots are defanged in names, too; brackets alone mean what they are", _refanged),
    _CASE,
    Rule("trailing dots", "Windows ignores dots and spaces at the end", _without_trailing_dots),
    Rule("file name", "with a letter or a digit, without wildcards, of at most 255 characters", _file_name),
)
"""The rules of ``file-name``. Raise ``bad-name``, ``too-long``."""
