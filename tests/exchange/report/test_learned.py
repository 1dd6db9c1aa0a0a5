"""What each party learns is stated for everything that can run, and as the documents state it."""

from itertools import product

import pytest

from crypto.psi import DISCOVERED, Output
from exchange.agreement import Rung, Stage
from exchange.disclosure import fits
from exchange.policy import ADMISSION_RULES
from exchange.policy.request import OVERFIT
from exchange.policy.tables import BASES as BASES_OF_POLICY
from exchange.publication import PROTOCOL
from exchange.report.learned import ADVERSARIES, RECEIVER, SENDER, STATEMENTS, statement
from exchange.report.words import BASES, HELD_BACK, RUNGS
from tests.architecture.tree import ROOT

RUNS = [
    (rung, name, role, str(output))
    for rung, (name, protocol), role in product(Rung, DISCOVERED.items(), (RECEIVER, SENDER))
    for output in Output
    if fits(protocol, rung, output)
] + [(Rung.OVERLAP, PROTOCOL, role, "receiver") for role in (RECEIVER, SENDER)]


@pytest.mark.parametrize(("rung", "protocol", "role", "output"), RUNS)
def test_there_is_a_statement_on_every_run(rung: Rung, protocol: str, role: str, output: str) -> None:
    found = statement(rung, protocol, role, output, Stage.WHOLE)
    assert found is not None
    assert found.learned.endswith(".")
    assert found.infers
    assert found.cheat


def test_no_statement_is_on_what_does_not_exist() -> None:
    assert {protocol for _, protocol, _, _ in STATEMENTS} <= {*DISCOVERED, PROTOCOL, "*"}
    assert {rung for rung, *_ in STATEMENTS} == set(Rung)
    assert set(ADVERSARIES) == {*DISCOVERED, PROTOCOL}
    assert statement(Rung.CONTEXT, "voprf", RECEIVER, "receiver", Stage.WHOLE) is None


def test_a_run_ahead_tells_nothing_of_items() -> None:
    found = statement(Rung.SIZE, "vole", SENDER, "receiver", Stage.AHEAD)
    assert found is not None
    assert "no set was used" in found.infers[0]


def test_the_numbers_are_those_of_the_policy_and_the_documents() -> None:
    more, than = OVERFIT["vole"]
    ratio = f"{more / than:.2f}"
    assert ratio in ADVERSARIES["vole"].limits
    bulk = statement(Rung.OVERLAP, "vole", RECEIVER, "receiver", Stage.WHOLE)
    assert bulk is not None
    assert any(ratio in text for text in bulk.cheat)
    model = (ROOT / "docs/threat-model.md").read_text()
    assert ratio in model
    assert "2^-40" in model
    assert "2^-40" in ADVERSARIES["voprf"].errors


def test_every_word_has_its_sentence() -> None:
    assert set(ADMISSION_RULES) <= set(HELD_BACK)
    assert set(RUNGS) == set(Rung)
    assert set(BASES) == set(BASES_OF_POLICY)
