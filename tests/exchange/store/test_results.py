"""What sessions told us is kept as it was, for our operator alone."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crypto.psi import Band, Noisy
from exchange.agreement import Rung
from exchange.config import Home
from exchange.disclosure import Estimated, Found, Learned
from exchange.errors import InputError, StoreError
from exchange.identity.keys import NodeKeys
from exchange.indicators import IndicatorType
from exchange.indicators.context import Context
from exchange.store.results import Results, decode, encode

FOUND = {
    "count": Found(count=7),
    "matches": Found(count=2, ids=np.array([3, 9]), canaries=1),
    "contexts": Found(
        count=2, ids=np.array([3, 9]),
        contexts=[None, Context(malware=("mirai",), first_seen=datetime(2026, 1, 5, tzinfo=UTC))],
    ),
    "sum": Found(count=7, total=70),
    "band": Found(band=Band(10, 99)),
    "last band": Found(band=Band(1000, None)),
    "noisy": Found(noisy=Noisy(-3, 0.5)),
    "estimate": Found(
        estimate=Estimated(
            equal=5, slots=4096, confidence=0.99, jaccard=(0.0, 0.001, 0.01), shared=(0, 5, 50),
            of_ours=(0.0, 0.1, 0.2), of_peers=(0.0, 0.05, 0.1),
        )
    ),
}  # fmt: skip


def learned(found: Found, session: str = "5e" * 32) -> Learned:
    return Learned(
        session=session, peer="umbra", direction="responder", time="2026-01-05T12:00:00.000000Z",
        rung=Rung.OVERLAP, protocol="voprf", over="", types=(IndicatorType.DOMAIN, IndicatorType.IPV4),
        found=found,
    )  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Results:
    keys = NodeKeys.generate().to_pem()
    return Results(Home.init(tmp_path / "home", "acme", keys=keys, listen="127.0.0.1:0"))


@pytest.mark.parametrize("name", FOUND)
def test_what_was_kept_is_what_was_learned(kept: Results, name: str) -> None:
    kept.keep(learned(FOUND[name]))
    (again,) = kept.all()
    assert again.types == (IndicatorType.DOMAIN, IndicatorType.IPV4)
    assert again.rung is Rung.OVERLAP
    assert encode(again) == encode(learned(FOUND[name]))
    assert again.found.facts() == FOUND[name].facts()
    assert again.found.contexts == FOUND[name].contexts
    assert again.found.estimate == FOUND[name].estimate
    file = kept.home.path / "results" / ("5e" * 32)
    assert file.stat().st_mode & 0o777 == 0o600


def test_one_is_found_by_how_its_id_begins(kept: Results) -> None:
    for session in ("5e" * 32, "5f" * 32):
        kept.keep(learned(FOUND["count"], session))
    assert kept.find("5e").session == "5e" * 32
    for beginning in ("5", "6", ""):
        with pytest.raises(InputError):
            kept.find(beginning)
    assert kept.drop("5e5e") == "5e" * 32
    assert [one.session for one in kept.all()] == ["5f" * 32]
    with pytest.raises(InputError):
        kept.drop("5e")


def test_a_damaged_one_hides_no_other(kept: Results) -> None:
    for session in ("5e" * 32, "5f" * 32):
        kept.keep(learned(FOUND["matches"], session))
    (kept.home.path / "results" / ("5e" * 32)).write_bytes(b"{")
    assert [one.session for one in kept.all()] == ["5f" * 32]
    with pytest.raises(StoreError, match="damaged"):
        kept.find("5e")
    kept.drop("5e")


def test_nothing_kept_is_nothing_found(kept: Results) -> None:
    assert list(kept.all()) == []


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b'{"found": {}}', encode(learned(FOUND["sum"]))[:-9]]
)
def test_what_is_no_result_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no result|Expecting|delimiter|Unterminated|column"):
        decode(data)


def test_nothing_of_it_is_printed() -> None:
    assert "mirai" not in repr(learned(FOUND["contexts"]))
