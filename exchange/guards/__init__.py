"""Guards against a member who is a competitor: what private matching alone does not stop.

Pure: sets, counts and keys come in, findings and numbers go out. Who asks for them, and what follows from a
finding, is decided elsewhere.
"""

from exchange.guards.canaries import canaries, rows
from exchange.guards.enumeration import judge
from exchange.guards.finding import LIMITS, Finding, Limit
from exchange.guards.growth import growth_per_day
from exchange.guards.matches import judge_matches
from exchange.guards.sweep import days_to_sweep, in_words, stopped_on_day

__all__ = [
    "LIMITS",
    "Finding",
    "Limit",
    "canaries",
    "days_to_sweep",
    "growth_per_day",
    "in_words",
    "judge",
    "judge_matches",
    "rows",
    "stopped_on_day",
]
