"""A rule of the profile: a named step from one spelling to the next.

The canonicaliser and its explanation run the same rules, so that what is explained is what was done.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Rule:
    """One step.

    Attributes:
        name: what it does, in a word or two.
        why: what for.
        apply: from a text to the next one, or ``Refused``; what it has made it leaves alone.
        lossy: two values that somebody may want to tell apart can become one.
    """

    name: str
    why: str
    apply: Callable[[str], str]
    lossy: bool = False


Rules: TypeAlias = tuple[Rule, ...]


def run(rules: Iterable[Rule], text: str) -> str:
    """A text after all the rules, in their order.

    Raises:
        Refused: by one of them.
    """
    for rule in rules:
        text = rule.apply(text)
    return text
