"""ThreatFox on eight days against Sekio: a day costs a twentieth of a whole run at most, with one result."""

import gzip
import secrets
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from crypto import session
from crypto.epochs import change_level
from crypto.hashing import item_rows
from crypto.psi import DISCOVERED, Params
from crypto.psi.voprf_epoch import PROTOCOL, Fresh
from exchange.agreement import size_class
from tests.realdata import data_dir

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
PART = 0.05


def addresses(path: Path) -> list[str]:
    with gzip.open(path, "rt") as file:
        return sorted({line.strip() for line in file} - {""})


def run(protocol, ours, theirs, p: Params, states: Any = (None, None)) -> tuple[Any, Any, float]:
    brought = [{} if state is None else {"state": state} for state in states]
    roles = (
        protocol.receiver(item_rows("ipv4", ours), p, **brought[0]),
        protocol.sender(item_rows("ipv4", theirs), p, **brought[1]),
    )
    start = process_time()
    mine, its = session.run(*roles)
    return mine, its, process_time() - start


@pytest.mark.parametrize("turned", [False, True], ids=["the receiver's changes", "the sender's changes"])
def test_threatfox_day_on_day(turned):
    days = sorted((data_dir() / "feeds" / "threatfox-history").glob("*.txt.gz"))
    other = addresses(data_dir() / "feeds" / "sekio-ips.txt.gz")
    assert len(days) == 8
    mine, states, before, spent = None, (None, Fresh()), None, []
    for day in days:
        changing = addresses(day)
        ours, theirs = (other, changing) if turned else (changing, other)
        sizes = size_class(len(ours)), size_class(len(theirs))
        new = (0, 0)
        if before is not None:
            came, went = len(set(changing) - before), len(before - set(changing))
            level = change_level(max(came, went) if turned else came, size_class(len(changing)))
            still = change_level(0, size_class(len(other)))
            assert level is not None
            assert still is not None
            new = (still, level) if turned else (level, still)
        p = Params(n_r=sizes[0], n_s=sizes[1], new_r=new[0], new_s=new[1], context=secrets.token_bytes(32))
        mine, its, seconds = run(PROTOCOL, ours, theirs, p, states)
        assert {ours[i] for i in mine.indices} == set(ours) & set(theirs)
        states, before = (mine.state, its), set(changing)
        spent.append((sum(PROTOCOL.traffic(p)), seconds))
    whole = DISCOVERED["voprf"]
    p = Params(n_r=sizes[0], n_s=sizes[1], context=secrets.token_bytes(32))
    found, _, seconds = run(whole, ours, theirs, p)
    assert found.indices.tolist() == mine.indices.tolist()
    assert max(moved for moved, _ in spent[1:]) <= PART * sum(whole.traffic(p))
    assert max(took for _, took in spent[1:]) <= PART * seconds
