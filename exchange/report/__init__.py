"""The disclosure report: what a session disclosed, to whom, under which rule, and what could be inferred.

Made from the ledger and the documents it holds, never from the store: so no indicator can be in it. The
signed JSON carries its own proof; the page and the PDF show that JSON and nothing else. Pure: entries in,
bytes out.
"""

from exchange.report.evidence import Evidence, Ledger, collect, find, pseudonyms
from exchange.report.make import Made, again, make
from exchange.report.scope import Given, Scope, ScopeKind
from exchange.report.signing import digest, read
from exchange.report.verify import check, check_with, unshown

__all__ = [
    "Evidence",
    "Given",
    "Ledger",
    "Made",
    "Scope",
    "ScopeKind",
    "again",
    "check",
    "check_with",
    "collect",
    "digest",
    "find",
    "make",
    "pseudonyms",
    "read",
    "unshown",
]
