"""Guards against a member who is a competitor: what private matching alone does not stop.

Pure: sets, counts and keys come in, findings and numbers go out. Who asks for them, and what follows from a
finding, is decided elsewhere.
"""

from exchange.guards.canaries import canaries, rows
from exchange.guards.enumeration import judge
from exchange.guards.finding import LIMITS, Finding, Limit
from exchange.guards.growth import growth_per_day
from exchange.guards.matches import judge_matches

__all__ = [
    "LIMITS",
    "Finding",
    "Limit",
    "canaries",
    "growth_per_day",
    "judge",
    "judge_matches",
    "rows",
]
