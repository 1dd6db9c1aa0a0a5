"""Two nodes match real feeds; what they share is valid STIX, and exactly that is read from it again."""

import json
from pathlib import Path

import pytest
import stix2
from stix2validator import ValidationOptions, validate_string

from exchange.config import Home
from exchange.data import samples
from exchange.indicators import Indicator, IndicatorType
from tests.e2e.nodes import cosight, members, serve
from tests.exchange.export.test_round_trip import again

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path, set[Indicator]]:
    """eset's home, its match with sekoia as ``match --json`` printed it, and what is in that."""
    folder = tmp_path_factory.mktemp("alliance")
    eset, sekoia = members(folder, "eset", "sekoia")
    for home in (eset, sekoia):
        feed = samples()[home.member]
        assert (
            cosight(home, "import", str(feed), "--source", home.member, "--tlp", "CLEAR")["accepted"] > 1000
        )
    with serve(sekoia) as node:
        found = cosight(eset, "match", "sekoia", "--address", node.address)
    file = folder / "result.json"
    file.write_text(json.dumps(found))
    items = {Indicator(IndicatorType(i["type"]), i["value"]) for i in found["result"]["items"]}
    assert len(items) > 10
    return eset, file, items


def test_the_bundle_is_valid_loads_and_gives_back_the_matched_set(
    shared: tuple[Home, Path, set[Indicator]], tmp_path: Path
) -> None:
    home, result, items = shared
    bundle = tmp_path / "shared.stix.json"
    said = cosight(home, "export", str(result), "--out", str(bundle))
    assert (said["items"], said["left_out"], said["not_held"]) == (len(items), {}, 0)
    assert said["by_tlp"] == {"CLEAR": len(items)}
    judged = validate_string(bundle.read_text(), ValidationOptions(version="2.1"))
    assert (judged.errors, judged.warnings) == ([], [])
    loaded = stix2.parse(bundle.read_bytes(), allow_custom=False)
    assert sum(o.type == "sighting" for o in loaded.objects) == len(items)
    assert set(again(bundle)) == items


@pytest.mark.parametrize("name", ["shared.misp.json", "shared.csv"])
def test_the_other_forms_give_back_the_matched_set(
    shared: tuple[Home, Path, set[Indicator]], tmp_path: Path, name: str
) -> None:
    home, result, items = shared
    out = tmp_path / name
    cosight(home, "export", str(result), "--out", str(out))
    assert set(again(out)) == items


def test_a_bundle_may_be_imported_by_a_third(
    shared: tuple[Home, Path, set[Indicator]], tmp_path: Path
) -> None:
    home, result, items = shared
    bundle = tmp_path / "shared.stix.json"
    cosight(home, "export", str(result), "--out", str(bundle), "--tlp", "GREEN")
    (third,) = members(tmp_path, "third")
    taken = cosight(third, "import", str(bundle), "--source", "eset")
    assert (taken["accepted"], taken["refused"]) == (len(items), {})
