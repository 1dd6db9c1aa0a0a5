"""How an aggregation ends of which nothing comes, in words for the operator."""

from exchange.errors import CosightError


class Broken(CosightError):
    """An aggregation was broken off: too few members were left, or one did not follow the protocol.

    Args:
        reason: why.
        culprits: who is to blame.
        found: whether we have found that ourselves; otherwise it is what the coordinator says.
        shared: whether shares of ours had left, with which the sum can be opened.
    """

    default_code = "aggregation-broken"

    def __init__(self, reason: str, culprits: tuple[str, ...], *, found: bool, shared: bool) -> None:
        by = f", by {', '.join(culprits)}" if culprits else ""
        word = "" if found or not culprits else ", as the coordinator says"
        left = (
            "our shares had left, so that its sum may have been opened"
            if shared
            else "no share of ours had left"
        )
        super().__init__(
            f"the aggregation was broken off ({reason}{by}{word}); {left}",
            hint="its window is counted: the coordinator has to open the next one"
            if shared
            else "the coordinator can try again without who is to blame: cosight aggregate open",
        )
        self.reason = reason
        self.culprits = culprits
        self.found = found
