"""The page on the protocol, the stored transcript and the code say the same."""

import json
import re
from pathlib import Path

import pytest

from crypto.secagg import masking
from crypto.secagg.base import Chunk, Digests, Step
from crypto.session import Message
from tests.crypto.secagg.alliance import run, setup
from tests.vectors.masking import PATH, transcript

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/protocols/masking.md").read_text()


def test_the_same_randomness_gives_the_stored_transcript() -> None:
    assert transcript() == json.loads(PATH.read_text())


def test_the_page_explains_every_code_of_blame() -> None:
    code = "".join(path.read_text() for path in (ROOT / "crypto/secagg").glob("*.py") if _is_masking(path))
    written = set(re.findall(r'(?:_relayed\([^"]*|Blamed\([^"]*|return [^"\n]*)"([a-z]+(?:-[a-z]+)+)"', code))
    explained = set(
        re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE.split("| code | who | what |")[1].split("\n\n")[0])
    )
    assert written == explained


def _is_masking(path: Path) -> bool:
    return path.stem in {"base", "boxes", "coordinator", "keys", "masking", "masks", "view"}


def payload(message: Message) -> int:
    return sum(len(bytes(getattr(message, field))) for field in message.sizes())


@pytest.mark.parametrize("drops", [{}, {1: Step.DEALING, 2: Step.MASKING, 6: Step.AGREEING}])
@pytest.mark.parametrize(("size", "sample"), [(3, None), (40_000, None), (40_000, 1)])
def test_bytes_are_those_of_the_formula(drops, size: int, sample: int | None) -> None:
    agreed = setup(10, size=size)
    alliance = run(agreed, drops=drops, options={"sample": sample})
    up, down, fetched = [], [], []
    for i, message in alliance.wire:
        if i == 0:
            is_up = type(message).__name__ in UP
            (fetched if isinstance(message, Digests | Chunk) else up if is_up else down).append(message)
    left = 10 - len(drops)
    expected = masking.traffic(
        agreed,
        joined=10,
        dealt=10 - (1 in drops),
        survivors=10 - (1 in drops) - (2 in drops),
        agreed=left,
        signed=left,
    )
    assert (sum(map(payload, up)), sum(map(payload, down))) == expected
    most = masking.fetched(agreed, survivors=len(alliance.coordinator.survivors), sample=sample)
    assert sum(map(payload, fetched)) <= most
    if sample is None:
        assert sum(map(payload, fetched)) == most


UP = {"Join", "Dealing", "Masked", "Agreed", "Shares", "Signed"}


def test_the_table_of_the_page_is_that_of_the_formula() -> None:
    rows = re.findall(
        r"^\| (\d+), 10\^(\d), 32 \| ([\d.]+) MB \| ([\d.]+) MB \| ([\d.]+) MB \| ([\d.]+) MB",
        PAGE,
        re.MULTILINE,
    )
    assert len(rows) == 3
    for n, exponent, *shown in rows:
        agreed = setup(int(n), size=10 ** int(exponent))
        everybody = dict.fromkeys(("joined", "dealt", "survivors", "agreed", "signed"), int(n))
        exact = [
            *masking.traffic(agreed, **everybody),
            masking.fetched(agreed, survivors=int(n)),
            masking.fetched(agreed, survivors=int(n), sample=1),
        ]
        for said, number in zip(shown, exact, strict=True):
            digits = len(said.partition(".")[2])
            assert f"{number / 1e6:.{digits}f}" == said
