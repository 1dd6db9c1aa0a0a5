"""What each party of a session learned, what it could infer, and what a cheat could gain: stated as data.

One row for each rung, protocol, role and output that this version runs; a test holds it to the protocols and
rungs that there are. ``docs/threat-model.md`` and the protocols' pages argue for each of them.
"""

from dataclasses import dataclass, replace

from exchange.agreement import Rung, Stage

ANY = "*"
RECEIVER, SENDER = "receiver", "sender"
_GUESS = (
    "It chooses what it puts in: whatever it guessed and put in, up to its declared size, it could test. The "
    "quotas of the policy are the answer to that."
)
_OVERFIT = (
    "By overfitting its store it could test up to about 1.21 values for each one it declared. That is the "
    "best attack known, not a theorem."
)
_UNMASK = (
    "With altered software it could learn which of its items are shared, as from the overlap, and no more: "
    "what it sends cannot be told from an honest message."
)
_INVENT = "It could use any set it liked and leave items out."
_OMIT = "It could give back fewer matches than it saw, but invent none: each carries a proof of match."
_SHARED_SIZES = "The other side's size class, so its true size to within 12 % (within 32 for small sets)."
_REPEAT = "Compared with an earlier session, which items the other side added or dropped in between."


@dataclass(frozen=True, slots=True)
class Statement:
    """What one party of a session comes to know.

    Attributes:
        learned: what the protocol tells it.
        infers: what follows from that, and from the messages it sees.
        cheat: what it could gain by leaving the protocol.
    """

    learned: str
    infers: tuple[str, ...]
    cheat: tuple[str, ...]


_SIZE = Statement(
    learned="The size class of the other side's set, for the types that were asked for.",
    infers=("The true size to within 12 % (within 32 for small sets).",),
    cheat=("It could declare any size of its own.",),
)
_AHEAD = Statement(
    learned="That the other side takes part, and the size class named for a later run.",
    infers=("Nothing about any item: no set was used. The size named need not be the size of a set.",),
    cheat=("It could make the other side compute and store, within the quota of sessions.",),
)
_RECEIVER_EXACT = Statement(
    learned="Which of its own indicators the other side holds too.",
    infers=(_SHARED_SIZES, "That the other side does not hold the rest of what it put in.", _REPEAT),
    cheat=(_GUESS, "It could not test more values than it declared: each costs one row."),
)
_RECEIVER_BULK = Statement(
    learned=_RECEIVER_EXACT.learned,
    infers=_RECEIVER_EXACT.infers,
    cheat=(
        _GUESS,
        _OVERFIT,
    ),
)
_SENDER_ALONE = Statement(
    learned="Nothing but the size class of the other side's set.",
    infers=("The true size to within 12 % (within 32 for small sets). Nothing about the overlap.",),
    cheat=(_INVENT, "It could not mark items to learn which of them matched."),
)
_RECEIVER_FILTER = Statement(
    learned="Which of its questions the published filter of the other side holds, or seems to at its rate.",
    infers=(
        _SHARED_SIZES,
        "That the filter does not hold the rest of what it asked.",
        "Until the epoch ends, whether later filters hold what it asked, and how many items come and go.",
    ),
    cheat=(
        _GUESS,
        "It could not ask more than it declared: each question is counted before it is answered.",
        "It could ask about other types than it stated, if the filter holds them.",
    ),
)
_SENDER_FILTER = Statement(
    learned="How many questions were asked; of each positive that was confirmed, one bucket of its own tags.",
    infers=("From a confirmation, that some question seemed to be in the filter. Nothing of any other.",),
    cheat=(_INVENT, "It could not answer under another key than the published one: each answer is proved."),
)
_SENDER_TOLD = Statement(
    learned="Which of its own indicators the other side says it holds too.",
    infers=(
        _SHARED_SIZES,
        "That the other side does not hold the rest, if it gave back all of its matches.",
        _REPEAT,
    ),
    cheat=(_INVENT, _GUESS),
)
_RECEIVER_COUNTS = Statement(
    learned="How many of its own indicators the other side holds too, not which.",
    infers=(
        _SHARED_SIZES,
        "Compared with an earlier session, whether what was added or dropped in between is shared.",
    ),
    cheat=(
        _GUESS,
        _UNMASK,
    ),
)
_SENDER_COUNTED = Statement(
    learned=_SENDER_ALONE.learned,
    infers=_SENDER_ALONE.infers,
    cheat=(
        _INVENT,
        "It could make the number smaller, or larger with items of the other side that it can name.",
    ),
)
_SAME_ANSWER = (
    "Compared with an earlier session, whether the other side's set has changed. Asked again of the same "
    "sets, the answer is the same."
)
_ROUGH = (
    "How many indicators are shared, between two bounds; of a small overlap of large sets next to nothing."
)
_SLOTS = (
    "With altered software it could learn which of its slots are equal, and so up to 4,096 shared indicators."
)
_SINGLE = (
    "Where one indicator is shared, its number. Compared with an earlier session, the number on what was "
    "added or dropped in between, if that is shared."
)
_CHOSEN = (
    "It could choose whose numbers are added, once a session, those of any indicators of the other side, "
    "shared or not: and so read those on a few, or on some thirty where the numbers are small."
)
_RANGE = (
    "It could say any number of an indicator, and see from whether the run fails if one indicator of its "
    "choice was shared, or whether count or sum lie above a threshold. A failed run is in the ledger of the "
    "other side; where it does not fail, the sum is false and nobody notices."
)
_KEPT = (
    "If it kept what it should delete, it could test a later indicator against an earlier set of the "
    "other side within the epoch, for one row each."
)
_RECEIVER_ESTIMATES = Statement(
    learned="How similar the two sets are, from how many of 4,096 slots of two sketches are equal.",
    infers=(
        _SHARED_SIZES,
        _ROUGH,
        _SAME_ANSWER,
    ),
    cheat=(
        "It could test 4,096 guesses, each against one slot: of a large set few indicators win one.",
        _SLOTS,
    ),
)
_RECEIVER_BANDED = Statement(
    learned="Between which two numbers lies how many indicators are shared.",
    infers=(
        _SHARED_SIZES,
        "Where it adds shared indicators of its own from session to session, when the band changes.",
    ),
    cheat=(_GUESS, "With altered software it learns the number.", _UNMASK),
)
_RECEIVER_NOISY = Statement(
    learned="How many indicators are shared, give or take noise of the other side.",
    infers=(
        _SHARED_SIZES,
        "Asked often enough, the number itself: the budget of the policy bounds that.",
    ),
    cheat=(_GUESS, "With altered software it learns the number without the noise.", _UNMASK),
)
_SENDER_NOISY = Statement(
    learned=_SENDER_COUNTED.learned,
    infers=_SENDER_COUNTED.infers,
    cheat=(
        *_SENDER_COUNTED.cheat,
        "It could choose the noise instead of drawing it, up to its bound either way.",
    ),
)
_RECEIVER_SUMS = Statement(
    learned="How many of its own indicators the other side holds too, and the sum of the other side's "
    "numbers on them; not which.",
    infers=(
        _SHARED_SIZES,
        _SINGLE,
    ),
    cheat=(
        _GUESS,
        _UNMASK,
        _CHOSEN,
    ),
)
_SENDER_SUMMED = Statement(
    learned=_SENDER_ALONE.learned,
    infers=_SENDER_ALONE.infers,
    cheat=(
        _INVENT,
        _RANGE,
    ),
)
_ALSO_CONTEXT = " And what the other side says about each of them, in the fields that its policy names."
_UNREADABLE = (
    "Of what is not shared it got what the other side says in sealed form, which opens with nothing that it "
    "has: its key is gone with the run."
)


_LATER = "Who can compute discrete logarithms one day could test guesses on it and read what fits."
_OVERFIT_READ = (
    "With an overfitted store it reads that of up to about 1.21 values for each one it declared; none can be "
    "added after the store was sent."
)
_SPOIL = (
    "It could spoil what it says about some indicators and see whether the run fails: then one of them was "
    "shared, not which. The failed run is in the ledger of the other side."
)


def _with_contexts(receiver: Statement, *infers: str) -> Statement:
    return Statement(receiver.learned + _ALSO_CONTEXT, (*receiver.infers, *infers), receiver.cheat)


def _sends_contexts(sender: Statement, *cheat: str) -> Statement:
    return Statement(
        sender.learned,
        sender.infers,
        (*sender.cheat, "It could say what it likes about an indicator.", *cheat),
    )


_RECEIVER_TELLS = {
    "voprf": Statement(_RECEIVER_EXACT.learned, _RECEIVER_EXACT.infers, (*_RECEIVER_EXACT.cheat, _OMIT)),
    "vole": Statement(_RECEIVER_BULK.learned, _RECEIVER_BULK.infers, (*_RECEIVER_BULK.cheat, _OMIT)),
}
_EPOCH = (
    "Within the epoch: which of the shared indicators the other side added or dropped since the last session."
)
_LEVEL = "How much changed since the last session of the epoch, in four levels."
_RECEIVER_EPOCH = Statement(
    _RECEIVER_EXACT.learned,
    (*_RECEIVER_EXACT.infers, _EPOCH, _LEVEL),
    (
        _GUESS,
        "It could test what it asked about earlier in the epoch against what is new, each row charged once.",
        _KEPT,
    ),
)
_SENDER_EPOCH = Statement(_SENDER_ALONE.learned, (*_SENDER_ALONE.infers, _LEVEL), _SENDER_ALONE.cheat)

STATEMENTS: dict[tuple[Rung, str, str, str], Statement] = {
    (Rung.SIZE, ANY, RECEIVER, ANY): _SIZE,
    (Rung.SIZE, ANY, SENDER, ANY): _SIZE,
    (Rung.ESTIMATE, "estimate", RECEIVER, "receiver"): _RECEIVER_ESTIMATES,
    (Rung.ESTIMATE, "estimate", SENDER, "receiver"): _SENDER_COUNTED,
    (Rung.CARDINALITY, "cardinality", RECEIVER, "receiver"): _RECEIVER_COUNTS,
    (Rung.CARDINALITY, "cardinality", SENDER, "receiver"): _SENDER_COUNTED,
    (Rung.CARDINALITY, "cardinality-banded", RECEIVER, "receiver"): _RECEIVER_BANDED,
    (Rung.CARDINALITY, "cardinality-banded", SENDER, "receiver"): _SENDER_COUNTED,
    (Rung.CARDINALITY, "cardinality-noisy", RECEIVER, "receiver"): _RECEIVER_NOISY,
    (Rung.CARDINALITY, "cardinality-noisy", SENDER, "receiver"): _SENDER_NOISY,
    (Rung.SUM, "sum", RECEIVER, "receiver"): _RECEIVER_SUMS,
    (Rung.SUM, "sum", SENDER, "receiver"): _SENDER_SUMMED,
    (Rung.OVERLAP, "voprf", RECEIVER, "receiver"): _RECEIVER_EXACT,
    (Rung.OVERLAP, "voprf", RECEIVER, "both"): _RECEIVER_TELLS["voprf"],
    (Rung.OVERLAP, "voprf", SENDER, "receiver"): _SENDER_ALONE,
    (Rung.OVERLAP, "voprf", SENDER, "both"): _SENDER_TOLD,
    (Rung.OVERLAP, "voprf-epoch", RECEIVER, "receiver"): _RECEIVER_EPOCH,
    (Rung.OVERLAP, "voprf-epoch", SENDER, "receiver"): _SENDER_EPOCH,
    (Rung.OVERLAP, "filter", RECEIVER, "receiver"): _RECEIVER_FILTER,
    (Rung.OVERLAP, "filter", SENDER, "receiver"): _SENDER_FILTER,
    (Rung.OVERLAP, "vole", RECEIVER, "receiver"): _RECEIVER_BULK,
    (Rung.OVERLAP, "vole", RECEIVER, "both"): _RECEIVER_TELLS["vole"],
    (Rung.OVERLAP, "vole", SENDER, "receiver"): _SENDER_ALONE,
    (Rung.OVERLAP, "vole", SENDER, "both"): _SENDER_TOLD,
    **{
        (Rung.CONTEXT, protocol, role, output): said
        for protocol, exact, tells, stays in (
            ("voprf-context", _RECEIVER_EXACT, _RECEIVER_TELLS["voprf"], _LATER),
            ("vole-context", _RECEIVER_BULK, _RECEIVER_TELLS["vole"], _OVERFIT_READ),
        )
        for role, output, said in (
            (RECEIVER, "receiver", _with_contexts(exact, _UNREADABLE, stays)),
            (RECEIVER, "both", _with_contexts(tells, _UNREADABLE, stays)),
            (SENDER, "receiver", _sends_contexts(_SENDER_ALONE, _SPOIL)),
            (SENDER, "both", _sends_contexts(_SENDER_TOLD)),
        )
    },
    (Rung.CONTEXT, "context-asked", RECEIVER, "both"): _with_contexts(_RECEIVER_TELLS["voprf"]),
    (Rung.CONTEXT, "context-asked", SENDER, "both"): _sends_contexts(_SENDER_TOLD),
}
"""By rung, protocol, role and output."""


@dataclass(frozen=True, slots=True)
class Adversary:
    """What a protocol holds out against, in words.

    Attributes:
        model: the adversary.
        assumptions: what must be hard.
        errors: how often a run is wrong.
        limits: what it does not stop.
    """

    model: str
    assumptions: str
    errors: str
    limits: str


_ONE_BIT = "A sender that spoils rows gets one answer of yes or no, and is named."
_NO_CHOICE = "No protocol of this kind stops a party from choosing what it puts in, and there is no fairness."
ADVERSARIES = {
    "voprf": Adversary(
        model="Malicious: either party may run altered software and send whatever it likes.",
        assumptions="One-more gap Diffie-Hellman in ristretto255, random oracle. Not post-quantum.",
        errors="A whole run shows any false match with probability at most 2^-40.",
        limits=_NO_CHOICE,
    ),
    "vole": Adversary(
        model="Malicious: either party may run altered software and send whatever it likes.",
        assumptions="Dual LPN, the base transfers (with ML-KEM-768), ideal ciphers, random oracles.",
        errors="Tags have 128 bits: at most n_r * n_s / 2^128 false matches, below 2^-40 for any size "
        "that a policy can allow. A run fails to start with probability 2^-40.",
        limits=f"A receiver may test up to about 1.21 values for each one it declared. {_NO_CHOICE}",
    ),
    "cardinality": Adversary(
        model="Semi-honest, for the promise that no more than a number is learned: neither side proves "
        "anything. A receiver with altered software learns at most the overlap.",
        assumptions="One-more gap Diffie-Hellman on Curve25519, random oracle. Not post-quantum.",
        errors="The number is wrong with probability at most 2^-40.",
        limits=_NO_CHOICE,
    ),
    "sum": Adversary(
        model="Semi-honest: neither side proves anything. A receiver with altered software learns at most "
        "the overlap, and the numbers on a few indicators.",
        assumptions="One-more gap Diffie-Hellman on Curve25519, decisional Diffie-Hellman on ristretto255, "
        "random oracle. Not post-quantum.",
        errors="The count is wrong with probability at most 2^-40; the sum follows from it.",
        limits=_NO_CHOICE,
    ),
}


def _sealing(engine: Adversary, *limits: str) -> Adversary:
    """What an engine holds out against where it carries contexts."""
    errors = f"{engine.errors} A false match ends the run."
    return replace(engine, errors=errors, limits=" ".join((engine.limits, *limits)))


ADVERSARIES |= {
    "filter": replace(
        ADVERSARIES["voprf"],
        errors="A positive that was not confirmed is false with the probability that the filter states.",
        limits=f"The key of the other side lives for an epoch, not for a session. {_NO_CHOICE}",
    ),
    "estimate": replace(
        ADVERSARIES["cardinality"],
        model="Semi-honest, for the promise that no more than an estimate is learned. A receiver with "
        "altered software learns up to 4,096 shared indicators, never more than the overlap.",
        errors="The stated bounds hold in 99 of 100 sessions, for indicators that nobody made with the salt "
        "of the alliance in mind; who makes them so and plants them in feeds can move the estimate at will.",
    ),
    "cardinality-banded": replace(
        ADVERSARIES["cardinality"],
        model="Semi-honest, for the promise that no more than a band is learned: altered software has the "
        "number, and at most the overlap.",
    ),
    "cardinality-noisy": replace(
        ADVERSARIES["cardinality"],
        model="Semi-honest, for the promise that the number comes with noise: altered software takes it off, "
        "and learns at most the overlap.",
        errors="The noise is discrete Laplace, cut off where less than 2^-40 of it lies.",
    ),
    "voprf-epoch": replace(
        ADVERSARIES["voprf"],
        limits=f"The key of the other side lives for an epoch, not for a session. {_NO_CHOICE}",
    ),
    "voprf-context": _sealing(ADVERSARIES["voprf"], _ONE_BIT),
    "context-asked": _sealing(ADVERSARIES["voprf"]),
    "vole-context": _sealing(ADVERSARIES["vole"], _ONE_BIT),
}
"""By protocol."""


def statement(rung: Rung, protocol: str, role: str, output: str, stage: str) -> Statement | None:
    """Return what one party comes to know, or None where this version has no statement for such a run."""
    if stage == Stage.AHEAD:
        return _AHEAD
    return STATEMENTS.get((rung, protocol, role, output)) or STATEMENTS.get((rung, ANY, role, ANY))
