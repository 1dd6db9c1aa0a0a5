"""The public feeds between two node processes over mutual TLS: exact overlaps, and what they cost."""

import csv
import gzip
import json
import subprocess
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple

import pytest

from exchange.clock import utc_now
from exchange.config import Home
from exchange.indicators.readers import read
from exchange.indicators.warninglists import Mode, shipped_folder
from exchange.indicators.warninglists.lists import by_name
from exchange.store import Store
from exchange.store.home import verify_ledger
from exchange.store.warninglists import set_modes
from tests.e2e.nodes import COSIGHT, cosight, peak_mib, serve
from tests.realdata import data_dir

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

FEEDS = {
    "ipsum": "feeds/ipsum.tsv.gz",
    "sekio": "feeds/sekio-ips.txt.gz",
    "threatfox": "feeds/threatfox-ips.txt.gz",
    "tweetfeed": "feeds/tweetfeed-2026.csv.gz",
    "maltrail": "feeds/maltrail-malware.tsv.gz",
    "eset": "vendors/eset.tsv.gz",
    "unit42": "vendors/unit42.tsv.gz",
}
MAX_MIB = {"voprf": 400, "vole": 600}
"""Of a node with up to 1.1 million indicators, which it commits to when it starts: some 160 bytes each."""


class Cost(NamedTuple):
    """One match and what it took."""

    result: dict[str, Any]
    wall_s: float
    initiator_mib: float
    responder_mib: float


def take_in(home: Home, name: str, *, own: bool = False) -> None:
    store = Store.open(home.store_url)
    try:
        store.import_indicators(
            read(data_dir() / FEEDS[name]), source=name, tlp="CLEAR", own=own, now=utc_now()
        )
    finally:
        store.close()


def values_in(name: str, kind: str) -> set[str]:
    """A vendor's values of a type as they stand in its table, without any code of ours."""
    with gzip.open(data_dir() / FEEDS[name], "rt", encoding="utf-8", newline="") as file:
        return {row["value"] for row in csv.DictReader(file, delimiter="\t") if row["type"] == kind}


def match(homes: tuple[Home, ...], protocol: str, kind: str, tmp_path: Path) -> Cost:
    """``cosight match`` as a process of its own.

    Its peak memory is read while it runs: what ``wait4`` tells afterwards includes that of whoever forked.
    """
    alice, bob = homes
    out = tmp_path / "match.json"
    with serve(bob) as node, out.open("w") as stdout:
        command = [*COSIGHT, "match", "bob", "--type", kind, "--protocol", protocol]
        command += ["--address", node.address]
        start = perf_counter()
        child = subprocess.Popen([*command, "--home", str(alice.path), "--json"], stdout=stdout)
        peak = 0.0
        while child.poll() is None:
            with suppress(AssertionError):  # between its end and our asking it has no memory left
                peak = max(peak, peak_mib(child.pid))
            sleep(0.02)
        wall = perf_counter() - start
        assert child.returncode == 0, out.read_text()
        return Cost(json.loads(out.read_text()), wall, peak, node.peak_mib())


@pytest.mark.parametrize(
    ("protocol", "ours", "theirs", "kind", "sizes", "shared"),
    [
        ("voprf", "threatfox", "maltrail", "ipv4", (19_856, 129_006), 5_047),  # 7 of 19,863 are not global
        ("voprf", "ipsum", "sekio", "ipv4", (120_430, 188_044), 39_704),
        ("voprf", "unit42", "eset", "sha256", (107_109, 5_405), None),
        ("vole", "ipsum", "sekio", "ipv4", (120_430, 188_044), 39_704),
        ("vole", "maltrail", "tweetfeed", "domain", (930_537, 24_751), 7_753),
        ("vole", "tweetfeed", "maltrail", "domain", (24_751, 930_537), 7_753),
    ],
)
@pytest.mark.timeout(600)
def test_real_feeds(homes, tmp_path, capsys, protocol, ours, theirs, kind, sizes, shared):
    for home, name in zip(homes, (ours, theirs), strict=True):
        set_modes(home, sorted(by_name(shipped_folder())), Mode.OFF)  # the published overlaps know no lists
        take_in(home, name)
    held = tuple(cosight(home, "indicators", "--type", kind)["in_a_match"][kind] for home in homes)
    assert held == sizes
    cost = match(homes, protocol, kind, tmp_path)
    found = {item["value"] for item in cost.result["result"]["items"]}
    assert len(found) == cost.result["result"]["count"]
    if shared is None:
        assert found == values_in(ours, kind) & values_in(theirs, kind)
    else:
        assert len(found) == shared
    assert all(verify_ledger(home).ok for home in homes)
    assert max(cost.initiator_mib, cost.responder_mib) < MAX_MIB[protocol]
    moved = cost.result["bytes"]
    with capsys.disabled():
        print(  # noqa: T201  so that whoever runs it sees the cost
            f"\n{protocol} {kind} {ours} ({sizes[0]:,}) x {theirs} ({sizes[1]:,}) = {len(found):,}:"
            f" {cost.result['seconds']['total']:.2f} s (process {cost.wall_s:.2f} s),"
            f" {moved['sent']:,} bytes sent, {moved['received']:,} received,"
            f" peak memory {cost.initiator_mib:.0f} MiB initiator, {cost.responder_mib:.0f} MiB responder"
        )
