"""The policy: what may be disclosed to whom, decided before any byte leaves. Default deny, pure.

``docs/policy.md`` describes the file. Rule ids begin with the number of the control in the compliance
catalogue that they carry out, where there is one.
"""

from exchange.agreement import Rung
from exchange.policy.file import DEFAULT_POLICY, parse
from exchange.policy.rules import RULES, Decision, History, Request, Rule, decide
from exchange.policy.terms import ANYONE, Bounds, Policy, Terms, Validity

__all__ = [
    "ANYONE",
    "DEFAULT_POLICY",
    "RULES",
    "Bounds",
    "Decision",
    "History",
    "Policy",
    "Request",
    "Rule",
    "Rung",
    "Terms",
    "Validity",
    "decide",
    "parse",
]
