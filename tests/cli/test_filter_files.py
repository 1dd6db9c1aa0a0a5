"""Filters as files of other tools: written from what we hold, and taken in to be asked."""

import io
import stat
from hashlib import blake2b
from pathlib import Path

import bloom_filter2
import flor
import pytest

from exchange.interchange.dcso import DcsoFilter
from exchange.interchange.pss import DEFAULT_KEY, FILTER, LIST, META
from tests.cli.command import cosight
from tests.cli.test_contract import feed, holds

CLEAR = ["1.2.3.4", "evil.example.com", "https://example.com/x"]
AMBER = ["1.2.3.5", "closed.example.com"]
YES = "--anyone-may-guess"


@pytest.fixture
def holding(lone: Path, tmp_path: Path) -> Path:
    """A home with three open indicators, two closed ones, and one on a warning list."""
    for marking, values in (("CLEAR", [*CLEAR, "8.8.8.8"]), ("AMBER", AMBER)):
        file = feed(tmp_path / f"{marking}.txt", *values)
        assert cosight("import", file, "--tlp", marking, home=lone).code == 0
    return lone


def key(folder: Path, text: str = "between friends") -> Path:
    path = folder / "key"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_nothing_is_written_before_a_person_has_seen_the_warning(holding: Path, tmp_path: Path) -> None:
    export = ["filter", "export", "out.bloom", "--format", "dcso-v1", "--fpr", "0.001"]
    done = cosight(*export, home=holding, stdin="")
    assert done.code == 1
    assert "can test any guess" in done.err
    assert YES in done.err
    refused = cosight(*export, "--json", home=holding).error
    assert refused["code"] == "unconfirmed"
    assert YES in refused["hint"]
    assert not (tmp_path / "out.bloom").exists()


def test_what_is_closed_or_on_a_warning_list_stays_at_home(holding: Path) -> None:
    export = ["filter", "export", "out.bloom", "--format", "dcso-v1", "--fpr", "0.0001", YES, "--json"]
    made = holds("filter export", cosight(*export, home=holding), optional={"probes"})
    assert (made["items"], made["by_type"]) == (3, {"domain": 1, "ipv4": 1, "url": 1})
    assert made["held_back"] == {"p4-tlp": 2, "p15-warning-list": 1}
    written = DcsoFilter.from_bytes(Path("out.bloom").read_bytes())
    assert all(written.contains(CLEAR))
    assert not any(written.contains([*AMBER, "8.8.8.8"]))
    theirs = flor.BloomFilter(1, 0.1)
    theirs.read(io.BytesIO(Path("out.bloom").read_bytes()))
    assert [value.encode() in theirs for value in [*CLEAR, *AMBER]] == [True] * 3 + [False] * 2
    assert stat.S_IMODE(Path("out.bloom").stat().st_mode) == 0o600

    more = cosight(*export, "--tlp-max", "AMBER", home=holding).json
    assert (more["items"], more["held_back"]) == (5, {"p15-warning-list": 1})
    only = cosight(*export, "--type", "domain", home=holding).json
    assert only["by_type"] == {"domain": 1}
    assert "p4-tlp" in cosight(*export, "--type", "domain", home=holding).json["held_back"]


def test_the_package_opens_the_file_and_we_ask_theirs(holding: Path) -> None:
    export = ["filter", "export", "out.filter", "--format", "bloom-filter2", "--fpr", "0.001"]
    made = cosight(*export, "--capacity", "50", YES, "--json", home=holding).json
    assert (made["capacity"], made["stated_fpr"], made["probes"]) == (50, 0.001, "primes")
    assert made["fpr"] < 0.001
    with bloom_filter2.BloomFilter(50, 0.001, filename="out.filter") as theirs:
        assert [value in theirs for value in [*CLEAR, *AMBER]] == [True] * 3 + [False] * 2
        theirs.add("Evil.Example.org.")
    unknown = cosight("filter", "import", "out.filter", "--json", home=holding).error
    assert unknown["code"] == "filter-unsupported"
    assert "--capacity" in unknown["hint"]
    other = ["filter", "import", "out.filter", "--fpr", "0.001", "--json", "--capacity"]
    assert cosight(*other, "51", home=holding).error["code"] == "filter-malformed"
    took = holds("filter import", cosight(*other, "50", home=holding))
    assert (took["filter"], took["format"], took["items"]) == ("out.filter", "bloom-filter2", None)

    asked = ["filter", "check", "out.filter", "hxxps://example[.]com/x", "Evil.Example.org.", "other.example"]
    found = holds("filter check", cosight(*asked, "--json", home=holding))
    assert found["asked"] == 3
    assert found["found"] == [
        {"value": "hxxps://example[.]com/x", "as": "https://example.com/x"},
        {"value": "Evil.Example.org.", "as": "Evil.Example.org."},
    ], "in their spelling as in ours"
    assert found["fpr"] == took["fpr"]
    assert "2 of 3 seem to be in" in cosight(*asked, home=holding).out


def test_a_private_search_set_between_two_homes(holding: Path, tmp_path: Path) -> None:
    export = ["filter", "export", "set", "--format", "pss", "--fpr", "0.01", YES]
    assert cosight(*export, "--json", home=holding).error["code"] == "usage"
    secret = key(tmp_path)
    made = cosight(*export, "--key-file", secret, home=holding)
    assert made.code == 0
    assert "everybody who can ask this set has its key" in made.err
    assert {path.name for path in Path("set").iterdir()} == {META, LIST, FILTER}
    lines = (Path("set") / LIST).read_text().splitlines()
    assert lines == sorted(blake2b(v.encode(), key=b"between friends").hexdigest() for v in CLEAR)
    again = cosight(*export, "--key-file", secret, "--json", home=holding).error
    assert again["code"] == "file-exists"

    take = ["filter", "import", "set", "--name", "theirs"]
    took = cosight(*take, "--key-file", secret, "--json", home=holding).json
    assert (took["items"], took["fpr"], took["description"]) == (3, 0.0, "indicators of lone")
    ask = ["filter", "check", "theirs", "-", "--json"]
    stdin = "".join(f"{value}\n" for value in [*CLEAR, "", *AMBER])
    found = cosight(*ask, home=holding, stdin=stdin).json
    assert (found["asked"], [hit["value"] for hit in found["found"]]) == (5, CLEAR)
    replaced = cosight(*take, "--json", home=holding).json
    assert replaced["replaced"], "now with the key that everybody knows"
    assert cosight(*ask, home=holding, stdin=stdin).json["found"] == []
    kept = holding / "foreign-filters" / "theirs"
    assert (kept / "key").read_text() == DEFAULT_KEY
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert [path.name for path in kept.parent.iterdir()] == ["theirs"]


def test_a_key_that_others_can_read_is_none(holding: Path, tmp_path: Path) -> None:
    secret = key(tmp_path)
    secret.chmod(0o644)
    export = ["filter", "export", "set", "--format", "pss", "--fpr", "0.01", YES, "--key-file", secret]
    assert cosight(*export, "--json", home=holding).error["code"] == "key-exposed"
    assert not Path("set").exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "filter-unsupported"),
        (b"\1\0\0\0\0\0\0\0", "filter-malformed"),
        (b"\x1f\x8b\x08 gzip", "filter-unsupported"),
        (DcsoFilter.build(["a"], capacity=9, fpr=0.1).to_bytes()[:-1], "filter-malformed"),
        (bytes(100), "filter-unsupported"),
    ],
    ids=["empty", "head", "gzip", "cut", "zeros"],
)
def test_what_is_no_filter_is_not_kept(lone: Path, data: bytes, code: str) -> None:
    Path("bad").write_bytes(data)
    assert cosight("filter", "import", "bad", "--json", home=lone).error["code"] == code
    assert not (lone / "foreign-filters").exists()


def test_names_that_are_not_there_or_not_possible(lone: Path) -> None:
    Path("good").write_bytes(DcsoFilter.build(["a"], capacity=9, fpr=0.1).to_bytes())
    missing = cosight("filter", "check", "good", "a", "--json", home=lone).error
    assert missing["code"] == "no-filter"
    for name in ("../up", "", ".hidden", "UP"):
        assert (
            cosight("filter", "import", "good", "--name", name, "--json", home=lone).error["code"] == "config"
        )
    assert cosight("filter", "import", "good", "--json", home=lone).code == 0
    missing = cosight("filter", "check", "../good", "a", "--json", home=lone).error
    assert (missing["code"], missing["hint"]) == ("no-filter", "there are: good")
    assert cosight("filter", "import", "gone", "--json", home=lone).error["code"] == "input"


def test_a_filter_of_ones_says_what_it_is_worth(lone: Path) -> None:
    made = DcsoFilter.build(["a"], capacity=64, fpr=0.1)
    ones = bytes([255] * (made.m_bits // 8)) + bytes([2 ** (made.m_bits % 8) - 1])
    full = DcsoFilter(64, 0.1, made.k_hashes, made.m_bits, 64, ones.ljust(len(made.bits), b"\0"))
    Path("ones").write_bytes(full.to_bytes())
    done = cosight("filter", "import", "ones", home=lone)
    assert "not 0.1 as it was made for" in done.out
    assert cosight("filter", "check", "ones", "anything", "--json", home=lone).json["fpr"] == 1.0
