"""Opening an aggregation, as its coordinator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from secrets import token_bytes

from crypto import labels
from crypto.errors import ParameterError
from crypto.secagg.base import LEAST, threshold
from crypto.secagg.noise import MOST_EPSILON_MILLI
from exchange.aggregation.dictionary import Dictionary
from exchange.aggregation.opening import (
    LEAST_REPORTERS,
    MAX_ABANDONS,
    MEMBERS,
    SUM_WIDTH,
    Malformed,
    Measure,
    Opening,
    Visibility,
    noise_of,
)
from exchange.aggregation.release import strays
from exchange.counting.apart import apart
from exchange.counting.books import CoordinatorsBooks
from exchange.errors import InputError, PolicyRefusal
from exchange.identity import keys
from exchange.indicators import PROFILE
from exchange.node import Node
from exchange.policy import aggregation as rules
from exchange.policy.rules import Explained
from exchange.store.aggregations import Aggregations
from exchange.store.contributions import Contributions
from exchange.together.deciding import decided, explained
from exchange.together.outcome import Outcome, result

SLOTS = 8
SUM_CAP = 1 << 20
"""The most that one member adds to a sum: what is more is cut down to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be counted.

    Attributes:
        dictionary: over which indicators; None where it follows from a count.
        measure: what.
        window: first and last day.
        purpose: why.
        members: who is asked; where nobody is named, everybody on the roster, and for a sum those that
            were counted.
        minimum: the least number of members whose sum is opened; where it is left out, as many as open one,
            and for a sum all of them.
        reporters: the least number of reporters behind a released number.
        step_s: how long each step waits.
        max_age_days: on one of so many last days of the window, or None.
        epsilon_milli: noise, in thousandths; 0 for exact numbers.
        visibility: who sees the numbers.
        base: the count that a sum goes on from.
    """

    dictionary: Dictionary | None
    measure: Measure
    window: tuple[date, date]
    purpose: str
    members: Sequence[str] = ()
    minimum: int | None = None
    reporters: int = 3
    step_s: int = 600
    max_age_days: int | None = None
    epsilon_milli: int = 0
    visibility: Visibility = Visibility.EVERYONE
    base: str = ""


def convene(node: Node, plan: Plan) -> Opening:
    """Open an aggregation; ``cosight serve`` of this home coordinates it from now on.

    Raises:
        InputError: what is planned cannot be counted, or its window was counted, or nothing would come of it.
        PolicyRefusal: our own policy would not join it.
        ConfigError: the disk is in the way.
        LedgerError: the ledger cannot be written.
    """
    with node.ledger.turn():
        opening, dictionary = _drafted(node, plan)
        _check(node, opening, dictionary)
        signature = keys.sign(node.desk.identity, labels.AGGREGATE_SIGNATURE, opening.context)
        books = CoordinatorsBooks(node.ledger, node.desk.clock, lambda: None)
        Aggregations(node.home).convene(
            opening.context, opening.encoded, signature, dictionary.encoded,
            now=node.desk.clock(), before=lambda: books.convened(opening),
        )  # fmt: skip
    return opening


def explain(node: Node, plan: Plan) -> Explained:
    """What every rule of our policy says of what would be opened. Nothing is written.

    Raises:
        InputError: what is planned cannot be counted, or its window was counted.
    """
    opening, dictionary = _drafted(node, plan)
    return explained(node, opening, dictionary, Contributions(node.home).all(), convening=True)


def _drafted(node: Node, plan: Plan) -> tuple[Opening, Dictionary]:
    """The opening of what is planned.

    Raises:
        InputError: it cannot be counted, or its window was counted.
    """
    roster = node.alliance.current()
    count = result(node, plan.base) if plan.dictionary is None else None
    everybody = tuple(member.id for member in roster.members) if count is None else count.survivors
    members = tuple(sorted(set(plan.members))) or everybody
    if unknown := [name for name in members if name not in roster.by_id]:
        raise InputError(f"{unknown[0]} is not on the roster", hint="see: cosight alliance roster")
    try:
        opening, dictionary = _planned(node, plan, members, count)
        node.setup(opening)
    except (Malformed, ParameterError) as e:
        raise _uncountable(plan, len(members), e) from e
    return opening, dictionary


def _check(node: Node, opening: Opening, dictionary: Dictionary) -> None:
    """Ask nobody for what we would refuse ourselves, or for what comes to nothing.

    Raises:
        PolicyRefusal: our own policy does not allow it.
        InputError: no number would be released.
    """
    decision = decided(node, opening, dictionary, Contributions(node.home).all(), convening=True).decision
    if not decision.allowed:
        raise PolicyRefusal(decision.explanation, code="policy-refused", rule=decision.rule)
    n = len(opening.members)
    if opening.noise is not None and opening.reporters >= n:
        raise InputError(
            f"with noise no number is released that has to have all {n} members behind it",
            code="nothing-to-release",
            hint="ask more members, for fewer --reporters, or without --epsilon for exact numbers",
        )


def _planned(
    node: Node, plan: Plan, members: tuple[str, ...], count: Outcome | None
) -> tuple[Opening, Dictionary]:
    """The opening, and over which indicators: of a sum, those that follow from the count before it."""
    if count is None:
        assert plan.dictionary is not None
        return _opening(node, plan, members, plan.dictionary, b""), plan.dictionary
    plan = replace(plan, minimum=plan.minimum or len(members))
    dictionary = count.goes_on(plan.reporters)
    opening = _opening(node, plan, members, dictionary, count.opening.context)
    if stray := strays(opening, count.opening, count.counted.tally.survivors):
        raise InputError(
            f"the count that it goes on from had {stray}",
            hint="leave --members and --minimum out, and name the window of the count",
        )
    return opening, dictionary


def _opening(
    node: Node, plan: Plan, members: tuple[str, ...], dictionary: Dictionary, base: bytes
) -> Opening:
    counting = plan.measure is Measure.COUNT
    roster = node.alliance.current()
    n, minimum = len(members), plan.minimum or least(len(members))
    width = 8 if counting else SUM_WIDTH
    if plan.epsilon_milli:
        width = noise_of(n, minimum, plan.epsilon_milli, 1).width(n)
    opening = Opening(
        alliance=roster.alliance, roster_epoch=roster.epoch, roster_hash=roster.hash,
        coordinator=node.home.member, members=members, session=token_bytes(32), purpose=plan.purpose,
        measure=plan.measure, profile=PROFILE, types=tuple(dictionary.by_type),
        dictionary=dictionary.root, entries=len(dictionary), window=plan.window,
        max_age_days=plan.max_age_days,
        slots=SLOTS if counting and not plan.epsilon_milli else 1, width=width,
        cap=1 if counting else SUM_CAP, minimum=minimum, reporters=plan.reporters,
        epsilon_milli=plan.epsilon_milli, base=base, visibility=plan.visibility, step_s=plan.step_s,
        software=node.desk.software, abandons=(),
    )  # fmt: skip
    return _after(node, opening)


def _after(node: Node, opening: Opening) -> Opening:
    """The same with the earlier attempts that it gives up.

    The ledger knows them all; folders, which go some days after their end, tell what is running.
    """
    key, given_up, store = rules.key_of(opening), set[str](), Aggregations(node.home)
    for run in node.ledger.runs().attempts(key):
        if run.counted or run.shared:
            raise _counted(run.session)
        given_up.add(run.session)
    for context in store.contexts():
        with apart(context):  # where one is damaged, the ledger alone knows it
            folder = store.find(context)
            if folder is None or not rules.key_of(Opening.decode(folder.opening)).overlaps(key):
                continue
            if (ending := folder.ended()) is not None:
                if not ending.code:
                    raise _counted(context.hex())
                given_up.add(context.hex())
                continue
            raise InputError(
                f"aggregation {context.hex()[:16]} over the same window is running",
                code="aggregation-running",
                hint="wait for its end, for which cosight serve has to run; or: cosight aggregate withdraw",
            )  # fmt: skip
    if len(given_up) > MAX_ABANDONS:
        raise InputError(
            f"{len(given_up)} attempts to count this window have failed, {MAX_ABANDONS} may be given up",
            code="aggregation-malformed", hint="choose days that were not tried",
        )  # fmt: skip
    return replace(opening, abandons=tuple(sorted(map(bytes.fromhex, given_up))))


def _uncountable(plan: Plan, n: int, fault: Malformed | ParameterError) -> InputError:
    """What is wrong with a plan for ``n`` members, and the option that mends it."""
    least, most = MEMBERS
    why, hint = {
        "members": (
            f"{n} members are asked, and {least} to {most} can count together",
            "name others with --members; who there is: cosight alliance roster",
        ),
        "minimum": (
            f"a sum of {plan.minimum} members is none that {n} members can open",
            f"--minimum is from {least} to {n}; left out, it is two thirds of them and one",
        ),
        "reporters": (
            f"{plan.reporters} reporters are never behind a number of {n} members",
            f"--reporters is from {LEAST_REPORTERS} to {n}; or ask more members",
        ),
    }.get(getattr(fault, "field", ""), (f"{fault}", "see: cosight aggregate open --help"))
    if plan.epsilon_milli and (
        isinstance(fault, ParameterError) or fault.field in {"width", "epsilon_milli"}
    ):
        why = f"noise of epsilon {plan.epsilon_milli / 1000:g} fits no number of {n} members"
        hint = f"--epsilon is up to {MOST_EPSILON_MILLI / 1000:g}, the larger the less noise; 0 is none"
    return InputError(f"this cannot be counted: {why}", code="aggregation-malformed", hint=hint)


def _counted(session: str) -> InputError:
    return InputError(
        f"this window was counted, or may have been, by {session[:16]}", code="window-counted",
        hint="a second sum would differ by single members: choose days that were not counted",
    )  # fmt: skip


def least(n: int) -> int:
    """Return the least number of members whose sum is opened, where nothing is said: as many as it takes."""
    return max(LEAST, threshold(n))
