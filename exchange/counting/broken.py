"""How an aggregation ends of which nothing comes, in words for the operator."""

from exchange.counting.world import WITHDRAWN
from exchange.errors import CosightError


class Broken(CosightError):
    """Too few members were left in an aggregation, one did not follow the protocol, or it was withdrawn.

    Args:
        reason: why.
        culprits: who is to blame.
        found: whether we have found that ourselves; otherwise it is what the coordinator says.
        shared: whether shares of ours had left, with which the sum can be opened.
    """

    default_code = "aggregation-broken"

    def __init__(self, reason: str, culprits: tuple[str, ...], *, found: bool, shared: bool) -> None:
        word = "" if found or not culprits else ", as the coordinator says"
        left = (
            "our shares had left, so that its sum may have been opened"
            if shared
            else "no share of ours had left"
        )
        if shared:
            hint = "its window is counted: the coordinator has to open the next one"
        elif reason == WITHDRAWN:
            hint = "nothing is left to do; its coordinator may open another one"
        else:
            without = " without who is to blame" if culprits else ", when all are there"
            hint = f"the coordinator can try again{without}: cosight aggregate open"
        super().__init__(f"the aggregation was {ended_as(reason, culprits)}{word}; {left}", hint=hint)
        self.reason = reason
        self.culprits = culprits
        self.found = found
        self.shared = shared


def ended_as(reason: str, culprits: tuple[str, ...] = ()) -> str:
    """How an aggregation ended that has no result: ``it was ...``."""
    if reason == WITHDRAWN:
        return "withdrawn by its coordinator"
    by = f", by {', '.join(culprits)}" if culprits else ""
    return f"broken off ({reason}{by})"
