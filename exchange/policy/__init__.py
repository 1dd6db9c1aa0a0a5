"""The policy: what may be disclosed to whom, decided before any byte leaves. Default deny, pure.

``docs/policy.md`` describes the file. Rule ids begin with the number of the control in the compliance
catalogue that they carry out, where there is one.
"""

from exchange.agreement import Rung
from exchange.policy.admission import ADMISSION_RULES, EVERYTHING, Admission, Offer
from exchange.policy.approvals import approve, request_hash
from exchange.policy.budget import admission
from exchange.policy.condition import Condition
from exchange.policy.diff import Difference, diff
from exchange.policy.file import DEFAULT_POLICY, parse
from exchange.policy.history import Approval, History, Past
from exchange.policy.model import Policy
from exchange.policy.request import Request, at_stake, told
from exchange.policy.rule import Objection, Pending, Rule
from exchange.policy.rules import RULES, Decision, Verdict, decide, explain
from exchange.policy.sweep import Sweep, sweep
from exchange.policy.tables import Arrangement, Iep, LegalBasis
from exchange.policy.terms import ANYONE, Approving, Bounds, Noise, PerValue, Share, Terms, Told, Validity
from exchange.policy.together import Aggregate, Discover
from exchange.policy.words import Sentence, limits, warnings
from exchange.policy.words_together import doubts, with_all

__all__ = [
    "ADMISSION_RULES",
    "ANYONE",
    "DEFAULT_POLICY",
    "EVERYTHING",
    "RULES",
    "Admission",
    "Aggregate",
    "Approval",
    "Approving",
    "Arrangement",
    "Bounds",
    "Condition",
    "Decision",
    "Difference",
    "Discover",
    "History",
    "Iep",
    "LegalBasis",
    "Noise",
    "Objection",
    "Offer",
    "Past",
    "Pending",
    "PerValue",
    "Policy",
    "Request",
    "Rule",
    "Rung",
    "Sentence",
    "Share",
    "Sweep",
    "Terms",
    "Told",
    "Validity",
    "Verdict",
    "admission",
    "approve",
    "at_stake",
    "decide",
    "diff",
    "doubts",
    "explain",
    "limits",
    "parse",
    "request_hash",
    "sweep",
    "told",
    "warnings",
    "with_all",
]
