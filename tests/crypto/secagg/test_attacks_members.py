"""What a member can try that lies to all others, one test for each attack: it is named."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import group, oprf
from crypto.errors import Blamed, ParameterError, ProtocolError, TooFew
from crypto.oprf import Mode
from crypto.rows import table
from crypto.secagg import boxes, keys, ring, shamir
from crypto.secagg.base import (
    Agreed,
    Complaint,
    Dealing,
    Dealings,
    Join,
    Joins,
    Masked,
    Opened,
    Roll,
    Shares,
    Signed,
    Step,
    pack_roll,
)
from crypto.secagg.view import JOIN_BYTES, body_of
from crypto.session import Message
from tests.crypto.psi.parties import deterministic_rng
from tests.crypto.secagg.alliance import Alliance, identity, run, setup, vectors

N, LIAR, VICTIM = 7, 2, 5
RNG = deterministic_rng(b"the liar's randomness")


def lying(kind: type[Message], change: Callable[[Message], Message], **how) -> Alliance:
    """A run in which the liar's message of one kind is another one."""

    def up(i: int, message: Message) -> Message:
        return change(message) if i == LIAR and type(message) is kind else message

    agreed = setup(N, **how.pop("setup", {}))
    return Alliance(agreed, how.pop("inputs", vectors(agreed)), up=up, **how)


def blamed(run: Alliance) -> Blamed:
    with pytest.raises(Blamed) as lie:
        run.finish()
    return lie.value


def signed(run: Alliance, step: Step, body: bytes) -> bytes:
    """The liar's good signature over what it makes up."""
    return identity(LIAR).sign(run.coordinator._view.statement(step, LIAR, body))


def rejoined(join: Join, **changes: bytes) -> Join:
    """A join with other fields, signed anew."""
    made = replace(join, **changes)
    return replace(made, signature=signed(Alliance(setup(N), vectors(setup(N))), Step.JOINING, body_of(made)))


def dealing(monkeypatch, change: Callable[..., np.ndarray]) -> Alliance:
    """A run in which the liar deals other rows, and signs them."""
    deal = boxes.deal

    def lie(view, position, secrets, *, rng):
        return (change if position == LIAR else lambda deal, *given: deal(*given, rng=rng))(
            deal, view, position, secrets
        )

    monkeypatch.setattr(boxes, "deal", lie)
    return Alliance(setup(N), vectors(setup(N)))


def test_forged_roster() -> None:
    """Somebody joins in the name of a member, with a key that is in no roster."""

    def forge(join: Join) -> Join:
        statement = Alliance(setup(N), vectors(setup(N))).coordinator._view.statement
        return replace(join, signature=identity(99).sign(statement(Step.JOINING, LIAR, body_of(join))))

    lie = blamed(lying(Join, forge))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-signature")


def test_altered_dictionary_root() -> None:
    """Who was shown another dictionary has another context: nothing that it says is taken."""
    other = Alliance(setup(N, context=bytes(32)), vectors(setup(N)))
    lie = blamed(lying(Join, lambda _: other.sessions[LIAR].step.message))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-signature")


@pytest.mark.parametrize("kind", [Join, Dealing, Masked, Agreed, Shares, Signed])
def test_replayed_session(kind: type[Message]) -> None:
    """What a member said in one run is put into another one, of the same members with the same keys."""
    said: list[Message] = []
    recording = Alliance(setup(N, context=bytes(32)), vectors(setup(N)))
    recording.up = lambda i, m: (said.append(m) if i == LIAR else None, m)[1]
    recording.finish()
    [old] = [m for m in said if type(m) is kind]
    lie = blamed(lying(kind, lambda _: old))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-signature")


@pytest.mark.parametrize("field", ["key", "mask_key", "commitment"])
def test_duplicated_keys(field: str) -> None:
    """A member announces what another one, before it, announced."""
    stolen = Alliance(setup(N), vectors(setup(N))).sessions[0].step.message
    run = lying(Join, lambda join: rejoined(join, **{field: getattr(stolen, field)}))
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-join" if field == "key" else "same-keys")


def test_duplicated_keys_that_the_coordinator_takes() -> None:
    """Members look for themselves, and name the coordinator."""
    joins = [session.step.message for session in Alliance(setup(N), vectors(setup(N))).sessions.values()]
    joins[LIAR] = rejoined(joins[LIAR], mask_key=joins[0].mask_key)
    member = Alliance(setup(N), vectors(setup(N))).sessions[VICTIM]
    member.advance()
    member.advance(Roll(pack_roll(range(N), N)))
    rows = table((body_of(join) + join.signature for join in joins), JOIN_BYTES)
    with pytest.raises(Blamed) as lie:
        member.advance(Joins(rows))
    assert (lie.value.positions, lie.value.code) == ((), "same-keys")


def test_related_key() -> None:
    """A member announces a key that it knows only up to another member's: it cannot show that it is its own.

    With such a key, what a complaint of its boxes reveals would open the other member's boxes.
    """
    honest = Alliance(setup(N), vectors(setup(N))).sessions[0].step.message
    own = oprf.generate_key(Mode.VOPRF, rng=RNG)
    # The sum of two elements stands for any that the liar knows no secret of.
    related = group.hash_to_group(table([honest.key + own.public_key], 64), b"related").tobytes()
    for possession in (keys.possession(setup(N).context, LIAR, own, rng=RNG), honest.possession):
        lie = blamed(lying(Join, lambda join, p=possession: rejoined(join, key=related, possession=p)))
        assert (lie.positions, lie.code) == ((LIAR,), "bad-join")


P = 2**255 - 19
BAD_KEYS = {
    "zero": bytes(32),
    "one": (1).to_bytes(32, "little"),
    "order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "p, not reduced": P.to_bytes(32, "little"),
    "p + 9, not reduced": (P + 9).to_bytes(32, "little"),
    "top bit": (9 + (1 << 255)).to_bytes(32, "little"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_mask_key_that_gives_nothing_or_has_two_encodings(name: str) -> None:
    lie = blamed(lying(Join, lambda join: rejoined(join, mask_key=BAD_KEYS[name])))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-join")


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32], ids=["identity", "no element"])
def test_a_box_key_that_is_none(key: bytes) -> None:
    lie = blamed(lying(Join, lambda join: rejoined(join, key=key)))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-join")


def test_members_blame_who_signed_a_bad_key() -> None:
    """A coordinator that lets it pass does not save the liar."""
    run = lying(Join, lambda join: rejoined(join, mask_key=BAD_KEYS["order 8"]))
    run.coordinator._view.check_keys = lambda *_: None
    with pytest.raises(TooFew):
        run.finish()
    assert {(e.positions, e.code) for i, e in run.errors.items() if i != LIAR} == {((LIAR,), "bad-join")}


@pytest.mark.parametrize(("column", "code"), [(3, "bad-box"), (85, "bad-share"), (120, "bad-share")])
def test_bad_box(column: int, code: str, monkeypatch) -> None:
    """A box that does not open, or holds other shares than the dealer commits to: both blame the dealer."""

    def spoil(deal, *given):
        rows = deal(*given, rng=RNG).copy()
        rows[VICTIM, column] ^= 1
        return rows

    run = dealing(monkeypatch, spoil)
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), code)
    assert [i for i, m in run.wire if isinstance(m, Complaint)] == [VICTIM]
    own = run.errors[VICTIM]
    assert (own.positions, own.code) == ((LIAR,), code)


def test_dealing_of_another_secret(monkeypatch) -> None:
    """All shares are those that were committed to, and give another seed than the one of the join."""
    run = dealing(monkeypatch, lambda deal, view, i, s: deal(view, i, replace(s, own=bytearray(32)), rng=RNG))
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-dealing")
    assert not [m for _, m in run.wire if isinstance(m, Opened)]


def test_dealing_of_another_mask_key(monkeypatch) -> None:
    """It shows when the dealer drops out."""
    run = dealing(
        monkeypatch, lambda deal, view, i, s: deal(view, i, replace(s, mask=bytearray(32)), rng=RNG)
    )
    run.drops = {LIAR: Step.MASKING}
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-dealing")


def test_dealing_of_too_high_a_degree(monkeypatch) -> None:
    """Shares that only more members than the threshold could put together."""
    split = shamir.split

    def higher(deal, *given):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shamir, "split", lambda s, t, xs, *, rng: split(s, t + 1, xs, rng=rng))
            return deal(*given, rng=RNG)

    run = dealing(monkeypatch, higher)
    run.drops = {0: Step.UNMASKING, 1: Step.UNMASKING}
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-dealing")


@pytest.mark.parametrize("row", [0, 4], ids=["of a mask key", "of an own mask"])
def test_bad_share(row: int) -> None:
    def spoil(shares: Shares) -> Shares:
        rows = shares.rows.copy()
        rows[row, 7] ^= 1
        return Shares(rows, signed(run, Step.UNMASKING, boxes.shares_digest(rows)))

    run = lying(Shares, spoil, drops={0: Step.MASKING})
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-share")


def test_the_other_share_of_a_member() -> None:
    """A member that gives the share of the mask key of a survivor gives none that is asked for."""

    def swap(shares: Shares) -> Shares:
        rows = shares.rows.copy()
        shares, _ = boxes.open_all(
            run.coordinator._view, LIAR, run.secrets(LIAR), held[LIAR], rng=deterministic_rng(b"unused")
        )
        rows[0] = shares[0, 32:]
        return Shares(rows, signed(run, Step.UNMASKING, boxes.shares_digest(rows)))

    held = {}
    run = lying(
        Shares, swap, down=lambda i, m: (held.update({i: m.rows}) if isinstance(m, Dealings) else None, m)[1]
    )
    lie = blamed(run)
    assert (lie.positions, lie.code) == ((LIAR,), "bad-share")


def complaining(made: Callable[[Alliance], Complaint]) -> Blamed:
    run = lying(Masked, lambda _: made(run))
    return blamed(run)


def honest_complaint(run: Alliance, accused: int = VICTIM) -> Complaint:
    return boxes.complain(run.coordinator._view, accused, run.secrets(LIAR), rng=RNG)


FALSE: dict[str, Callable[[Alliance], Complaint]] = {
    "of a good box": honest_complaint,
    "with another point": lambda run: replace(
        honest_complaint(run), point=honest_complaint(run, accused=0).point
    ),
    "with another proof": lambda run: replace(
        honest_complaint(run), proof=honest_complaint(run, accused=0).proof
    ),
    "with no point": lambda run: replace(honest_complaint(run), point=b"\xff" * 32),
    "with no proof": lambda run: replace(honest_complaint(run), proof=b"\xff" * 64),
    "of itself": lambda run: honest_complaint(run, accused=LIAR),
    "of nobody": lambda run: replace(honest_complaint(run), accused=b"\xff"),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_complaint(name: str) -> None:
    lie = complaining(FALSE[name])
    assert (lie.positions, lie.code) == ((LIAR,), "false-complaint")


@pytest.mark.parametrize(("field", "value"), [("accused", b""), ("point", bytes(31)), ("proof", bytes(65))])
def test_a_complaint_of_other_sizes_is_none(field: str, value: bytes) -> None:
    run = lying(Masked, lambda _: replace(honest_complaint(run), **{field: value}))
    with pytest.raises(ProtocolError, match="must have sizes"):
        run.finish()


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.DONE])
def test_a_message_of_another_step_or_size_is_refused(step: Step) -> None:
    """Before anything of it is looked at; and the member's own one is taken afterwards."""
    run = Alliance(setup(N), vectors(setup(N))).finish(until=step)
    own = run.sessions[LIAR].step.message
    field = next(iter(own.sizes()))
    value = getattr(own, field)
    longer = value + b"\0" if isinstance(value, bytes) else np.concatenate([value, value[:1]])
    for message in (replace(own, **{field: longer}), Complaint(b"\0", bytes(32), bytes(64)), Roll(b"\0")):
        if step is Step.MASKING and isinstance(message, Complaint):
            continue
        with pytest.raises(ProtocolError) as refused:
            run.coordinator.accept(LIAR, message)
        assert not isinstance(refused.value, Blamed)
    run.coordinator.accept(LIAR, own)


def test_a_complaint_opens_no_other_box() -> None:
    """What one member reveals is its point with the accused: with it go no shares of anybody else."""
    run = Alliance(setup(N), vectors(setup(N)))
    dealings = {}
    run.up = lambda i, m: (dealings.setdefault((run.step, i), m), m)[1]
    run.finish(until=Step.MASKING)
    view, secrets = run.coordinator._view, run.secrets(1)
    said = boxes.complain(view, 2, secrets, rng=deterministic_rng(b"proof"))
    opened = []
    for dealer in range(N):
        for recipient in range(N):
            box = dealings[Step.DEALING, dealer].rows[recipient, : boxes.BOX_BYTES].tobytes()
            key = boxes._key(view, said.point, dealer, recipient)
            try:
                AESGCM(key).decrypt(bytes(12), box, view.joint)
            except InvalidTag:
                continue
            opened.append((dealer, recipient))
    assert opened == [(1, 2), (2, 1)]


def test_over_cap_input() -> None:
    """Our own side refuses it before anything is said."""
    agreed = setup(N)
    inputs = vectors(agreed)
    inputs[LIAR][3] = agreed.cap + 1
    alliance = Alliance(agreed, inputs)
    assert isinstance(alliance.errors[LIAR], ParameterError)


def test_over_cap_input_of_a_liar() -> None:
    """It shows where it makes the sum larger than members that keep to the cap can: nobody signs that."""

    def add(masked: Masked) -> Masked:
        words = ring.from_rows(masked.vector).copy()
        words[3] += np.uint32(N * 1000)
        return Masked(ring.to_rows(words), signed(run, Step.MASKING, ring.root(ring.digests(words))))

    run = lying(Masked, add)
    with pytest.raises(ProtocolError, match="keep to the cap"):
        run.finish()
    assert run.step is Step.UNMASKING
    assert run.results == {}


def test_what_a_liar_puts_in_within_what_all_could_is_not_found() -> None:
    """It passes for all the others in one word, and takes theirs off in another: the page says so."""
    agreed = setup(N, cap=1)
    inputs = [np.zeros(agreed.size, agreed.words) for _ in range(N)]
    for honest in range(N):
        inputs[honest][1] = honest != LIAR
    lies = np.zeros(agreed.size, np.int64)
    lies[0], lies[1] = N, 1 - N

    def lie(masked: Masked) -> Masked:
        words = ring.from_rows(masked.vector) + lies.astype(agreed.words)
        return Masked(ring.to_rows(words), signed(run, Step.MASKING, ring.root(ring.digests(words))))

    run = lying(Masked, lie, setup={"cap": 1}, inputs=inputs)
    assert run.finish().coordinator.outcome.vector.tolist()[:2] == [N, 0]


def test_a_masked_vector_that_was_not_signed() -> None:
    def change(masked: Masked) -> Masked:
        rows = masked.vector.copy()
        rows[0, 0] ^= 1
        return replace(masked, vector=rows)

    lie = blamed(lying(Masked, change))
    assert (lie.positions, lie.code) == ((LIAR,), "bad-signature")


def test_what_is_not_due_is_refused() -> None:
    alliance = Alliance(setup(N), vectors(setup(N)))
    join = alliance.sessions[0].step.message
    alliance.coordinator.accept(0, join)
    for position, message in [(0, join), (1, Agreed(bytes(64))), (2, replace(join, key=b"short"))]:
        with pytest.raises(ProtocolError):
            alliance.coordinator.accept(position, message)
    finished = run(setup(N))
    with pytest.raises(ProtocolError):
        finished.coordinator.accept(0, join)
    with pytest.raises(ProtocolError):
        finished.coordinator.close()
