"""Turns what people write back into what they mean: invisible characters out, defanging undone.

This is step 1 of the profile: whatever it does is part of ``cti-c14n/1`` and cannot change under that name.
"""

import re
import unicodedata

from exchange.indicators.types import MAX_VALUE_CHARS, Refused

# Soft hyphen, zero-width, direction marks and BOM: invisible, pasted along from reports and chats. Tabs and
# line breaks inside a value go as well, as in the WHATWG standard.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\t\r\n]+"
)
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_BRACKETED = re.compile(r"\s*[\[({]\s*(\.|dot|://|:|/|@|at)\s*[\])}]\s*", re.IGNORECASE)
_SCHEME = re.compile(r"(?:h(?:xx|\*\*|tt)p(?P<s>s?)|(?P<f>f[xt]p))(?=:)", re.IGNORECASE)
_MEANING = {"dot": ".", "at": "@"}
_MAY_BE_DEFANGED = re.compile(r"[\[({\\]|^[hf]", re.IGNORECASE)


def refang(text: str) -> str:
    r"""Undo defanging, ``[.] (.) {.} [dot] \. [:] [://] [/] [@] [at] hxxp fxp``, until nothing is left.

    One pass is not enough: ``[[.]]`` becomes ``[.]``, and a canonical form must not change when canonicalised
    again.
    """
    while _MAY_BE_DEFANGED.search(text):
        plain = _BRACKETED.sub(lambda m: _MEANING.get(m[1].lower(), m[1]), text).replace("\\.", ".")
        if scheme := _SCHEME.match(plain):
            plain = ("ftp" if scheme["f"] else "http" + scheme["s"].lower()) + plain[scheme.end() :]
        if plain == text:
            break
        text = plain
    return text


def defang(text: str) -> str:
    """Make a value safe to paste where software turns text into links: ``hxxp://evil[.]com``."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text.replace(".", "[.]").replace("@", "[@]")
    return f"{scheme.replace('tt', 'xx').replace('ft', 'fx')}[:]//{rest.replace('.', '[.]')}"


def clean(text: str) -> str:
    """Strip, drop invisible characters, normalise to NFC, refang.

    Raises:
        Refused: ``empty``, ``too-long`` or ``bad-character``.
    """
    if len(text) > MAX_VALUE_CHARS:
        raise Refused("too-long")
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text.strip())).strip()
    if _NOT_TEXT.search(text):
        raise Refused("bad-character")
    if not (text := refang(text).strip()):
        raise Refused("empty")
    return text
