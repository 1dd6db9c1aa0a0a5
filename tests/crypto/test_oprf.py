"""The oblivious PRF: RFC 9497's vectors, plain Python as oracle, and a dishonest peer."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import oprf
from crypto.errors import DecodeError, ParameterError, VerificationError
from crypto.oprf import Mode
from crypto.rows import Rows
from tests.reference import bulk
from tests.reference import oprf as oracle
from tests.reference.arrays import VECTORS, fixed_rng, packed, unpacked
from tests.reference.ristretto import GENERATOR, ORDER, decode

SUITES = {
    Mode(suite["mode"]): suite
    for suite in json.loads((VECTORS / "rfc9497_ristretto255.json").read_text())["suites"]
    if suite["mode"] in set(Mode)
}
CASES = [(mode, vector) for mode, suite in SUITES.items() for vector in suite["vectors"]]
IDS = [f"{mode.name}-{index}" for mode, suite in SUITES.items() for index in range(len(suite["vectors"]))]


def parts(field: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in field.split(",")]


def number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def rfc_key(mode: Mode) -> oprf.PrivateKey:
    suite = SUITES[mode]
    return oprf.derive_key(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]), mode)


class Run(NamedTuple):
    """All that passes between an honest client and server, in one of the two forms."""

    form: str
    key: oprf.PrivateKey
    items: Rows
    blinds: oprf.Blinds
    blinded: Rows
    evaluated: Rows
    proof: bytes

    def finalize(self, **changed: Any) -> Rows:
        finalize: Callable[..., Rows] = oprf.finalize if self.form == "rfc" else oprf.bulk_finalize
        reply = {"blinded": self.blinded, "proof": self.proof, "public_key": self.key.public_key}
        if self.form == "rfc":
            reply["mode"] = Mode.VOPRF
        arguments = {
            "items": self.items,
            "blinds": self.blinds,
            "evaluated": self.evaluated,
            **reply,
            **changed,
        }
        return finalize(**arguments)


def run(form: str, n: int, width: int = 5) -> Run:
    key = rfc_key(Mode.VOPRF)
    items = packed([(7 * index).to_bytes(width, "big") for index in range(n)], width)
    if form == "rfc":
        blinds, blinded = oprf.blind(items, mode=Mode.VOPRF)
        evaluated, proof = oprf.blind_evaluate(key, blinded)
    else:
        blinds, blinded = oprf.bulk_blind(items)
        evaluated, proof = oprf.bulk_blind_evaluate(key, blinded)
    return Run(form, key, items, blinds, blinded, evaluated, proof)


FORMS = pytest.mark.parametrize("form", ["rfc", "bulk"])


@pytest.mark.parametrize("mode", Mode)
def test_vectors_derive_their_keys(mode: Mode) -> None:
    key, secret = rfc_key(mode), number(bytes.fromhex(SUITES[mode]["skSm"]))
    assert key.mode == mode
    assert key.public_key == oracle.public_key(secret)
    assert key.public_key == oprf.generate_key(mode, rng=fixed_rng([secret])).public_key
    if mode is Mode.VOPRF:
        assert key.public_key.hex() == SUITES[mode]["pkSm"]


@pytest.mark.parametrize(("mode", "vector"), CASES, ids=IDS)
def test_vectors(mode: Mode, vector: dict[str, Any]) -> None:
    """Rows of a batch are blinded and finalized one by one: inputs of the RFC's batch differ in length."""
    key, inputs, blinds = rfc_key(mode), parts(vector["Input"]), parts(vector["Blind"])
    clients = [
        oprf.blind(packed([item]), mode=mode, rng=fixed_rng([number(blind)]))
        for item, blind in zip(inputs, blinds, strict=True)
    ]
    blinded = np.concatenate([row for _, row in clients])
    assert unpacked(blinded) == parts(vector["BlindedElement"])

    proof_of = vector.get("Proof", {"r": "01" + "00" * 31, "proof": ""})
    evaluated, proof = oprf.blind_evaluate(
        key, blinded, rng=fixed_rng([number(bytes.fromhex(proof_of["r"]))])
    )
    assert unpacked(evaluated) == parts(vector["EvaluationElement"])
    assert proof.hex() == proof_of["proof"]

    for index, (item, (blind, row)) in enumerate(zip(inputs, clients, strict=True)):
        answer, own_proof = oprf.blind_evaluate(key, row)
        assert np.array_equal(answer, evaluated[index : index + 1])
        reply: dict[str, Any] = {}
        if mode is Mode.VOPRF:
            reply = {"blinded": row, "proof": own_proof, "public_key": key.public_key}
        output = oprf.finalize(packed([item]), blind, answer, mode=mode, **reply)
        assert unpacked(output) == [parts(vector["Output"])[index]]
        assert np.array_equal(output, oprf.evaluate(key, packed([item])))


SCALARS = st.integers(1, ORDER - 1)


@settings(deadline=None, max_examples=12)
@given(SCALARS, st.integers(1, 40), st.sampled_from(Mode), st.data())
def test_rfc_form_agrees_with_the_oracle(secret: int, width: int, mode: Mode, data: st.DataObject) -> None:
    items = data.draw(st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=3))
    scalars = data.draw(st.lists(SCALARS, min_size=len(items), max_size=len(items)))
    r = data.draw(SCALARS)
    key = oprf.generate_key(mode, rng=fixed_rng([secret]))
    assert key.public_key == oracle.public_key(secret)

    blinds, blinded = oprf.blind(packed(items), mode=mode, rng=fixed_rng(scalars))
    sent = [oracle.blind(item, scalar, mode) for item, scalar in zip(items, scalars, strict=True)]
    assert unpacked(blinded) == sent
    evaluated, proof = oprf.blind_evaluate(key, blinded, rng=fixed_rng([r]))
    answers = [(secret * decode(row)).encode() for row in sent]
    assert unpacked(evaluated) == answers
    reply: dict[str, Any] = {}
    if mode is Mode.VOPRF:
        assert proof == oracle.prove(secret, r, key.public_key, sent, answers)
        assert oracle.verify(key.public_key, sent, answers, proof)
        reply = {"blinded": blinded, "proof": proof, "public_key": key.public_key}
    outputs = oprf.finalize(packed(items), blinds, evaluated, mode=mode, **reply)
    rows = zip(items, scalars, answers, strict=True)
    assert unpacked(outputs) == [oracle.finalize(item, scalar, answer) for item, scalar, answer in rows]
    assert unpacked(oprf.evaluate(key, packed(items))) == [oracle.evaluate(secret, i, mode) for i in items]


@settings(deadline=None, max_examples=12)
@given(SCALARS, st.integers(1, 40), st.data())
def test_bulk_form_agrees_with_the_oracle(secret: int, width: int, data: st.DataObject) -> None:
    items = data.draw(st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=3))
    scalars = data.draw(st.lists(SCALARS, min_size=len(items), max_size=len(items)))
    r = data.draw(SCALARS)
    key = oprf.generate_key(Mode.VOPRF, rng=fixed_rng([secret]))
    blinds, blinded = oprf.bulk_blind(packed(items), rng=fixed_rng(scalars))
    sent = [bulk.blind(item, scalar) for item, scalar in zip(items, scalars, strict=True)]
    assert unpacked(blinded) == sent
    evaluated, proof = oprf.bulk_blind_evaluate(key, blinded, rng=fixed_rng([r]))
    assert (unpacked(evaluated), proof) == bulk.blind_evaluate(secret, sent, r)
    outputs = oprf.bulk_finalize(
        packed(items), blinds, evaluated, blinded=blinded, proof=proof, public_key=key.public_key
    )
    assert unpacked(outputs) == [oracle.evaluate(secret, item, Mode.VOPRF) for item in items]


@settings(deadline=None, max_examples=8)
@given(st.lists(SCALARS, min_size=1, max_size=3).filter(lambda keys: sum(keys) % ORDER), st.data())
def test_several_servers_answer_as_one_with_the_sum_of_their_keys(
    secrets: list[int], data: st.DataObject
) -> None:
    items = data.draw(st.lists(st.binary(min_size=5, max_size=5), min_size=1, max_size=3))
    keys = [oprf.generate_key(Mode.VOPRF, rng=fixed_rng([secret])) for secret in secrets]
    blinds, blinded = oprf.bulk_blind(packed(items))
    replies = [oprf.Reply(*oprf.bulk_blind_evaluate(key, blinded), key.public_key) for key in keys]
    outputs = oprf.bulk_finalize_sum(packed(items), blinds, replies, blinded=blinded)
    assert unpacked(outputs) == [oracle.evaluate(sum(secrets) % ORDER, item, Mode.VOPRF) for item in items]
    with pytest.raises(ParameterError, match="nobody"):
        oprf.bulk_finalize_sum(packed(items), blinds, [], blinded=blinded)
    if len(replies) > 1:
        swapped = [replies[0]._replace(evaluated=replies[1].evaluated), *replies[1:]]
        with pytest.raises(VerificationError):
            oprf.bulk_finalize_sum(packed(items), blinds, swapped, blinded=blinded)


@FORMS
@pytest.mark.parametrize("n", [0, 1, 127, 128, 257, 9000])
def test_client_and_server_agree(form: str, n: int) -> None:
    honest = run(form, n)
    outputs = honest.finalize()
    assert outputs.shape == (n, oprf.OUTPUT_BYTES)
    assert len(honest.proof) == oprf.PROOF_BYTES
    assert np.array_equal(outputs, oprf.evaluate(honest.key, honest.items))


def test_mode_oprf_has_no_proof() -> None:
    items = packed([b"one", b"two"])
    key = oprf.generate_key(Mode.OPRF)
    blinds, blinded = oprf.blind(items, mode=Mode.OPRF)
    evaluated, proof = oprf.blind_evaluate(key, blinded)
    assert proof == b""
    outputs = oprf.finalize(items, blinds, evaluated, mode=Mode.OPRF)
    assert np.array_equal(outputs, oprf.evaluate(key, items))
    with pytest.raises(ParameterError):
        oprf.bulk_blind_evaluate(key, blinded)


@FORMS
def test_blinding_is_fresh(form: str) -> None:
    assert not np.array_equal(run(form, 3).blinded, run(form, 3).blinded)


def shifted(row: Rows) -> Rows:
    """Another valid element: the row's, plus the generator."""
    return packed([(decode(row.tobytes()) + GENERATOR).encode()])


@FORMS
@pytest.mark.parametrize("n", [1, 2, 300])
def test_one_wrong_answer_fails_the_proof(form: str, n: int) -> None:
    honest = run(form, n)
    for index in {0, n // 2, n - 1}:
        evaluated = honest.evaluated.copy()
        evaluated[index] = shifted(evaluated[index])
        with pytest.raises(VerificationError):
            honest.finalize(evaluated=evaluated)


@FORMS
def test_errors_that_cancel_do_not_pass(form: str) -> None:
    """Plus the generator here, minus it there: a plain sum over the batch would not see it."""
    honest = run(form, 2)
    first, second = (decode(row) for row in unpacked(honest.evaluated))
    evaluated = packed([(first + GENERATOR).encode(), (second + (ORDER - 1) * GENERATOR).encode()])
    with pytest.raises(VerificationError):
        honest.finalize(evaluated=evaluated)


@FORMS
def test_swapped_answers_wrong_keys_and_foreign_rows_fail_the_proof(form: str) -> None:
    honest = run(form, 4)
    other = oprf.generate_key(Mode.VOPRF)
    evaluate = oprf.blind_evaluate if form == "rfc" else oprf.bulk_blind_evaluate
    evaluated, proof = evaluate(other, honest.blinded)
    for lie in (
        {"evaluated": np.ascontiguousarray(honest.evaluated[::-1])},
        {"public_key": other.public_key},
        {"evaluated": evaluated, "proof": proof},  # a consistent server, but of another key
        {"blinded": run(form, 4).blinded},
        {"proof": honest.proof[32:] + honest.proof[:32]},
        {"proof": bytes(64)},
    ):
        with pytest.raises(VerificationError):
            honest.finalize(**lie)


def test_a_proof_of_one_form_is_none_of_the_other() -> None:
    rfc, bulk_run = run("rfc", 1), run("bulk", 1)
    for honest, proof in ((rfc, bulk_run.proof), (bulk_run, rfc.proof)):
        with pytest.raises(VerificationError):
            honest.finalize(proof=proof)


BAD_ELEMENTS = {
    "identity": bytes(32),
    "not canonical": b"\xed" + b"\xff" * 30 + b"\x7f",
    "odd": b"\1" + bytes(31),
}


@FORMS
@pytest.mark.parametrize("element", BAD_ELEMENTS.values(), ids=BAD_ELEMENTS.keys())
def test_bad_elements_are_the_peers_fault(form: str, element: bytes) -> None:
    honest = run(form, 3)
    table = honest.evaluated.copy()
    table[1] = np.frombuffer(element, np.uint8)
    evaluate = oprf.blind_evaluate if form == "rfc" else oprf.bulk_blind_evaluate
    with pytest.raises(DecodeError, match="row 1"):
        evaluate(honest.key, table)
    with pytest.raises(DecodeError, match="row 1"):
        honest.finalize(evaluated=table)
    with pytest.raises(DecodeError, match="public key"):
        honest.finalize(public_key=element)


@FORMS
def test_scalars_out_of_range_are_the_peers_fault(form: str) -> None:
    honest = run(form, 2)
    c, s = honest.proof[:32], honest.proof[32:]
    same_but_larger = (number(s) + ORDER).to_bytes(32, "little")
    for proof in (c + same_but_larger, c + ORDER.to_bytes(32, "little"), b"\xff" * 32 + s):
        with pytest.raises(DecodeError, match="scalar"):
            honest.finalize(proof=proof)


@FORMS
def test_what_does_not_fit_together_is_our_mistake(form: str) -> None:
    honest = run(form, 3)
    other_form = run("bulk" if form == "rfc" else "rfc", 3)
    for wrong in (
        {"blinds": run(form, 2).blinds},
        {"blinds": other_form.blinds},
        {"items": honest.items[:2]},
        {"evaluated": honest.evaluated[:2]},
        {"blinded": honest.blinded[:2]},
        {"evaluated": honest.evaluated[:, :31].copy()},
        {"evaluated": honest.evaluated.astype(np.uint16)},
        {"evaluated": np.repeat(honest.evaluated, 2, axis=0)[::2]},
        {"proof": honest.proof[:63]},
        {"proof": b""},
        {"public_key": honest.key.public_key[:31]},
    ):
        with pytest.raises(ParameterError):
            honest.finalize(**wrong)


def test_modes_do_not_mix() -> None:
    honest = run("rfc", 2)
    with pytest.raises(ParameterError):  # verification cannot be skipped by naming the other mode
        oprf.finalize(honest.items, honest.blinds, honest.evaluated, mode=Mode.OPRF)
    with pytest.raises(ParameterError):
        honest.finalize(mode=Mode.OPRF)
    with pytest.raises(ParameterError):
        honest.finalize(blinded=None)


def test_an_rfc_proof_has_a_limit_and_the_bulk_form_none() -> None:
    blinded = np.zeros((oprf.MAX_RFC_BATCH + 1, 32), np.uint8)
    with pytest.raises(ParameterError, match="at most"):
        oprf.blind_evaluate(rfc_key(Mode.VOPRF), blinded)
    with pytest.raises(DecodeError):  # got as far as the rows
        oprf.bulk_blind_evaluate(rfc_key(Mode.VOPRF), blinded)


def test_zero_scalars_are_drawn_again() -> None:
    drawn = iter([bytes(64), ORDER.to_bytes(64, "little"), (2 * ORDER + 5).to_bytes(64, "little")])
    assert oprf.generate_key(Mode.OPRF, rng=lambda _: next(drawn)).public_key == oracle.public_key(5)
    with pytest.raises(StopIteration):
        next(drawn)


@pytest.mark.parametrize(
    "rng", [bytes, lambda n: b"\1" * (n - 1), lambda n: b"\1" * (n + 64)], ids=["zeros", "short", "long"]
)
def test_a_broken_rng_is_refused(rng: Callable[[int], bytes]) -> None:
    with pytest.raises(ParameterError, match="rng"):
        oprf.blind(packed([b"item"]), mode=Mode.OPRF, rng=rng)


@pytest.mark.parametrize(("seed", "info"), [(31, 4), (33, 4), (32, 2**16)])
def test_key_derivation_checks_lengths(seed: int, info: int) -> None:
    with pytest.raises(ParameterError):
        oprf.derive_key(bytes(seed), bytes(info), Mode.OPRF)


def test_items_are_at_most_what_sixteen_bits_count() -> None:
    with pytest.raises(ParameterError):
        oprf.evaluate(rfc_key(Mode.OPRF), np.zeros((1, 2**16), np.uint8))
