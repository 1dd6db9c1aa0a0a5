"""The five public feeds of addresses: how many are in at least two, three, four and five, in both modes."""

import secrets
from collections import Counter
from functools import cache

import numpy as np
import pytest

from crypto import oprf
from crypto.hashing import item_rows
from crypto.oprf import Mode
from crypto.rows import Rows
from crypto.secagg import counting, discovery, strict
from crypto.secagg.batches import Batch
from crypto.secagg.discovery import Setup
from crypto.secagg.strict import Handed, Strict
from exchange.indicators import IndicatorType
from tests.exchange.indicators.test_warninglists_realdata import column
from tests.reference.arrays import unpacked

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

FEEDS = ("ipsum", "sekio", "threatfox", "tweetfeed", "maltrail")
DISTINCT = 413_997
"""Eight less than the files hold: our readers refuse addresses that carriers share (100.64.0.0/10)."""
AT_LEAST = {2: 46_441, 3: 709, 4: 77, 5: 0}


@cache
def outputs() -> dict[str, Rows]:
    """Of each feed's addresses, under one key that stands for the sum of the helpers'."""
    key = oprf.generate_key(Mode.VOPRF)
    return {name: oprf.evaluate(key, item_rows("ipv4", column(name, IndicatorType.IPV4))) for name in FEEDS}


@cache
def held() -> Counter[bytes]:
    """In how many feeds each is."""
    return Counter(row for table in outputs().values() for row in unpacked(table))


def setup(threshold: int) -> Setup:
    return Setup(context=secrets.token_bytes(32), threshold=threshold, members=5, helpers=2)


@pytest.mark.parametrize("threshold", AT_LEAST)
def test_five_feeds(threshold: int) -> None:
    assert len(held()) == DISTINCT
    agreed, batches = setup(threshold), []
    for name, table in outputs().items():
        token = secrets.token_bytes(agreed.token_bytes)
        records = discovery.records(table, agreed, token, size=len(table) + 100)
        batches.append(Batch(name.encode(), token, records))
    outcome = counting.count(batches, agreed)
    discovery.check_released(outcome.released, outcome.voices, agreed)
    assert len(outcome.released) == AT_LEAST[threshold]
    for table in outputs().values():
        mine, theirs = discovery.recognise(discovery.pairs(table, agreed), outcome.released)
        expected = np.array([held()[row] for row in unpacked(table)])
        assert np.array_equal(mine, np.flatnonzero(expected >= threshold))
        assert np.array_equal(outcome.voices[theirs], expected[mine])


@pytest.mark.parametrize("threshold", [3, 4])
def test_five_feeds_strict(threshold: int) -> None:
    largest = max(len(table) for table in outputs().values())
    agreed, handed, written = Strict(setup=setup(threshold), items=largest), [], []
    for name, table in outputs().items():
        token = secrets.token_bytes(agreed.setup.token_bytes)
        tables = strict.write(table, token, agreed)
        handed.append(Handed(name.encode(), token, tables.cells))
        written.append(tables)
    outcome = strict.count(handed, agreed)
    strict.check_outcome(outcome, agreed)
    found: dict[bytes, int] = {}
    for table, own in zip(outputs().values(), written, strict=True):
        mine, voices = strict.recognise(table, own, outcome, agreed)
        found |= {table[at].tobytes(): many for at, many in zip(mine, voices.tolist(), strict=True)}
    assert found == {row: many for row, many in held().items() if many >= threshold}
    assert len(found) == AT_LEAST[threshold]
