"""Making a report: from the evidence to signed bytes, and from those to what people read."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.report import html, signing
from exchange.report.content import content
from exchange.report.evidence import Evidence, pseudonyms
from exchange.report.pages import page
from exchange.report.scope import Given, Scope
from exchange.report.view import Page


@dataclass(frozen=True, slots=True)
class Made:
    """A report.

    Attributes:
        json: its signed bytes.
        content: its sections.
    """

    json: bytes
    content: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the signed bytes, in hex."""
        return signing.digest(self.json)

    @property
    def page(self) -> Page:
        """What people read."""
        return page(self.content, self.digest)

    def html(self) -> bytes:
        """The page as one HTML file."""
        return html.render(self.page)

    def pdf(self) -> bytes:
        """The page as PDF."""
        from exchange.report import pdf  # noqa: PLC0415 - its library takes half a second to load

        return pdf.render(self.page)


def make(scope: Scope, given: Given, evidence: Evidence, key: Ed25519PrivateKey) -> Made:
    """Make and sign a report.

    Args:
        scope: what it is about.
        given: what it states beside the ledger.
        evidence: what it rests on, in full.
        key: our identity key.
    """
    called = pseudonyms(evidence.leaves(), evidence.documents)
    sections = content(scope, given, evidence, key.public_key().public_bytes_raw(), called)
    shown = evidence.without(called)
    return Made(signing.sign(sections, shown.as_json(), key), sections)


def again(report: bytes) -> Made:
    """Return a report that was made before, read but not verified.

    Raises:
        InputError: it is none.
    """
    return Made(report, signing.read(report)["content"])
