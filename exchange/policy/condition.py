"""A condition on the result of a rung, such as ``cardinality >= 20``, for going on to the next one."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from exchange.agreement import Rung
from exchange.policy.history import Past

MOST = 1 << 53
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_WORDS: dict[str, Callable[[Past], int | None]] = {
    "size": lambda past: past.peer_padded,
    "estimate": lambda past: past.matched if past.rung is Rung.ESTIMATE else None,
    "cardinality": lambda past: past.matched if past.rung.level > Rung.ESTIMATE.level else None,
    "sum": lambda past: past.total,
}
_FORM = re.compile(rf"({'|'.join(_WORDS)}) ?({'|'.join(_COMPARISONS)}) ?([0-9]{{1,16}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one number of a session with a constant.

    Attributes:
        word: ``size``, the peer's padded size; ``estimate`` or ``cardinality``, how many matched; ``sum``.
        comparison: ``>=``, ``<=``, ``==``, ``>`` or ``<``.
        number: the constant.
    """

    word: str
    comparison: str
    number: int

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        Raises:
            ValueError: it is anything but a word, a comparison and a whole number below 2^53.
        """
        form = _FORM.fullmatch(text.strip(" "))
        if form is None or int(form[3]) >= MOST:
            raise ValueError(
                f"a condition is one of {', '.join(_WORDS)}, then one of {' '.join(_COMPARISONS)}, "
                f"then a whole number, such as: cardinality >= 20"
            )
        return cls(form[1], form[2], int(form[3]))

    @property
    def rung(self) -> Rung:
        """The rung whose result it speaks of."""
        return Rung(self.word)

    def holds(self, past: Past) -> bool | None:
        """Say whether a session fulfils it; None where we do not know that session's number.

        Of a number that is a least one, only a comparison with less can be known.
        """
        value = _WORDS[self.word](past)
        if value is None:
            return None
        held = _COMPARISONS[self.comparison](value, self.number)
        if past.exact or self.word == "size":
            return held
        return True if held and self.comparison in {">=", ">"} else None

    def __str__(self) -> str:
        return f"{self.word} {self.comparison} {self.number}"
