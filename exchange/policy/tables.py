"""What a policy says beside the terms: arrangements, legal bases, and the FIRST IEP that heads it.

Source: FIRST, Information Exchange Policy 2.0 JSON specification.
"""

from dataclasses import dataclass, fields

from exchange.indicators import IndicatorType, Tlp
from exchange.policy.terms import ALWAYS, Validity, plain

IEP_WORDS = {
    "encrypt_in_transit": ("must", "may"),
    "permitted_actions": (
        "none",
        "contact-for-instruction",
        "internally-visible-actions",
        "externally-visible-indirect-actions",
        "externally-visible-direct-actions",
    ),
    "affected_party_notifications": ("may", "must-not"),
    "attribution": ("may", "must", "must-not"),
    "unmodified_resale": ("may", "must-not"),
}
"""The statements of an IEP that take a word, and the words."""
PERSONAL = frozenset({IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.EMAIL, IndicatorType.MAC})
"""What counts as personal data where the policy does not say it."""
BASES = (
    "gdpr-6-1-a",
    "gdpr-6-1-b",
    "gdpr-6-1-c",
    "gdpr-6-1-d",
    "gdpr-6-1-e",
    "gdpr-6-1-f",
    "cisa-2015",
    "not-personal-data",
    "other",
)
BALANCED = "gdpr-6-1-f"
"""Legitimate interests: the one basis that needs a balancing test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """An agreement between organisations under which information is shared.

    Attributes:
        reference: where it is filed.
        parties: the members it binds; empty where it does not say.
        conditions: what it asks, in a few words.
        validity: when it is in force.
    """

    reference: str = ""
    parties: frozenset[str] = frozenset()
    conditions: str = ""
    validity: Validity = ALWAYS

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return _stated(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """Why personal data may be processed.

    Attributes:
        basis: one of ``BASES``.
        balancing_test: where the balancing test is filed; legitimate interests need one.
        reference: where more is filed.
        validity: when it holds: statutes lapse.
    """

    basis: str = ""
    balancing_test: str = ""
    reference: str = ""
    validity: Validity = ALWAYS

    def content(self) -> dict[str, object]:
        """Return it as the file states it."""
        return _stated(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Iep:
    """A FIRST IEP 2.0 policy: what binds whoever receives something under it.

    Attributes:
        id: of the policy.
        name: of the policy.
        description: of the policy.
        encrypt_in_transit: always fulfilled here: nothing travels but in TLS.
        permitted_actions: what a recipient may do; handed on with results.
        affected_party_notifications: whether a recipient may warn third parties; handed on.
        tlp: the most closed marking that anything under it may have.
        attribution: whether the provider may, must or must not be named.
        unmodified_resale: whether a recipient may sell it on; handed on.
        external_references: where more is said.
        validity: when it is effective.
    """

    id: str
    name: str
    description: str = ""
    encrypt_in_transit: str | None = None
    permitted_actions: str | None = None
    affected_party_notifications: str | None = None
    tlp: Tlp | None = None
    attribution: str | None = None
    unmodified_resale: str | None = None
    external_references: tuple[str, ...] = ()
    validity: Validity = ALWAYS

    def content(self) -> dict[str, object]:
        """Return it as FIRST's JSON states it."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "validity"}
        said = {name: v for name, v in stated.items() if v not in ("", None, ())}
        said = {name: list(v) if isinstance(v, tuple) else plain(v) for name, v in said.items()}
        return {"iep_version": 2.0} | said | self.validity.content("start_date", "end_date")


def _stated(table: Arrangement | LegalBasis) -> dict[str, object]:
    values = {f.name: getattr(table, f.name) for f in fields(table) if f.name != "validity"}
    return {name: plain(v) for name, v in values.items() if v} | table.validity.content()
