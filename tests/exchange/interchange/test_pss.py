"""Private Search Sets: what the published program does with its hashes and files, and files that lie.

The program is no package, so what it does is written here again: ``the_program`` is its way from a line of
input to the two files, with ``flor`` for the filter as there.
"""

import io
import json
from datetime import UTC, datetime
from hashlib import blake2b

import flor
import pytest

from exchange.errors import InputError
from exchange.interchange.dcso import DcsoFilter
from exchange.interchange.pss import DEFAULT_KEY, FILTER, LIST, META, WARNING, Meta, PrivateSearchSet

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ABOUT = Meta("key-2026", "hosts that were seen", NOW, "cti-c14n/1", ("domain", "hostname"))
KEYS = {
    "algorithm", "bloomfilter", "canonicalization-format", "description", "generated-timestamp", "keyid",
    "misp-attribute-types", "version",
}  # fmt: skip


def values(n: int, name: str = "host") -> list[str]:
    return [f"{name}{i}.example.com" for i in range(n)]


def the_program(lines: list[bytes], key: str, capacity: int, fpr: float) -> tuple[set[str], bytes]:
    digests, bloom = set(), flor.BloomFilter(n=capacity, p=fpr)
    for line in lines:
        digest = blake2b(line, key=key.encode()).hexdigest()
        digests.add(digest)
        bloom.add(digest.encode())
    out = io.BytesIO()
    bloom.write(out)
    return digests, out.getvalue()


def build(held: list[str], key: str = DEFAULT_KEY) -> PrivateSearchSet:
    return PrivateSearchSet.build(held, ABOUT, key=key, capacity=1000, fpr=1e-3)


def metadata(**changes) -> dict:
    return json.loads(build(values(3)).files()[META]) | changes


def folder(told, **more: bytes) -> dict[str, bytes]:
    files = build(values(3)).files()
    return files | {META: json.dumps(told).encode()} | more


@pytest.mark.parametrize("key", [DEFAULT_KEY, "k" * 64, "schlüssel"])
def test_the_files_are_those_of_the_program(key):
    files = build(values(300), key).files()
    digests, bloom = the_program([v.encode() for v in values(300)], key, 1000, 1e-3)
    assert set(files[LIST].decode().splitlines()) == digests
    theirs, ours = DcsoFilter.from_bytes(bloom), DcsoFilter.from_bytes(files[FILTER])
    assert ours == theirs
    assert set(json.loads(files[META])) == KEYS, "the program refuses any other set of keys"


def test_a_set_survives_its_files():
    made = build([*values(40), "bücher.example"])
    assert PrivateSearchSet.read(made.files()) == made
    assert made.contains([*values(40), "bücher.example"], key=DEFAULT_KEY).all()
    assert not made.contains(values(500, "other"), key=DEFAULT_KEY).any()
    assert not made.contains(values(40), key="another").any()


@pytest.mark.parametrize("gone", [LIST, FILTER])
def test_one_of_the_two_files_is_enough(gone):
    files = build(values(40)).files()
    del files[gone]
    read = PrivateSearchSet.read(files)
    assert read.files() == files
    assert read.contains(values(40), key=DEFAULT_KEY).all()
    assert not read.contains(values(40, "other"), key=DEFAULT_KEY).any()


def test_the_keys_that_the_program_writes_are_read_too():
    told = {name.replace("-", "_"): value for name, value in metadata().items()}
    assert PrivateSearchSet.read(folder(told)) == build(values(3))


def test_the_sample_of_the_description_is_read():
    told = metadata()
    told["format"] = [{"misp-feed-cache": {}}, {"bloomfilter": told.pop("bloomfilter")}]
    told["misp-object-template"] = ["person:19"]
    assert PrivateSearchSet.read(folder(told)) == build(values(3))
    assert PrivateSearchSet.read(folder(metadata(algorithm="Blake2b"))) == build(values(3))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2}, {"version": "1"}, {"algorithm": "Blake3"}, {"algorithm": "HMAC-SHA-256"},
        {"algorithm": "HMAC-SHA-512"}, {"algorithm": None}, {"algorithm": ["Blake2"]},
        {"bloomfilter": {"format": "poppy-v2", "capacity": 1000, "fp-probability": 0.001}},
        {"bloomfilter": {"format": "dcso-v1", "capacity": 1000, "fp-probability": 0.001, "match-count": 2}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(changes):
    with pytest.raises(InputError) as refused:
        PrivateSearchSet.read(folder(metadata(**changes)))
    assert refused.value.code == "filter-unsupported"


def described(**changes) -> dict:
    return {"bloomfilter": {"format": "dcso-v1", "capacity": 1000, "fp-probability": 1e-3} | changes}


@pytest.mark.parametrize(
    "told",
    [
        [], 7, None, "x", metadata(keyid=7), metadata(description=None), metadata(bloomfilter=None),
        metadata(bloomfilter=[]), metadata(**described(capacity=0)), metadata(**described(capacity=True)),
        metadata(**described(capacity="9")), metadata(**described(**{"fp-probability": 1.0})),
        metadata(**described(**{"fp-probability": 1})), metadata(**described(capacity=999)),
        metadata(**{"generated-timestamp": "now"}), metadata(**{"generated-timestamp": 1e300}),
        metadata(**{"misp-attribute-types": "domain"}), metadata(**{"misp-attribute-types": [1]}),
        metadata(generated_timestamp=1), metadata(**{"canonicalization-format": None}),
    ],
    ids=str,
)  # fmt: skip
def test_metadata_without_sense_are_refused(told):
    with pytest.raises(InputError) as refused:
        PrivateSearchSet.read(folder(told))
    assert refused.value.code == "filter-malformed"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[" * 60_000, b'{"version": 1, "pad": "' + b"x" * 70_000 + b'"}', b"NaN"]
)
def test_metadata_that_are_no_json_are_refused(data):
    with pytest.raises(InputError):
        PrivateSearchSet.read(build(values(3)).files() | {META: data})


@pytest.mark.parametrize(
    "line", [b"", b"ab", b"g" * 128, b"A" * 128, b"a" * 129, b" " + b"a" * 127, b"\xff" * 128]
)
def test_lines_that_are_no_digests_are_refused(line):
    digests = build(values(3)).files()[LIST]
    with pytest.raises(InputError):
        PrivateSearchSet.read(build(values(3)).files() | {LIST: digests + line + b"\n"})


def test_missing_files_are_named():
    files = build(values(3)).files()
    with pytest.raises(InputError, match=r"private-search-set\.json"):
        PrivateSearchSet.read({LIST: files[LIST]})
    with pytest.raises(InputError, match="neither"):
        PrivateSearchSet.read({META: files[META]})


@pytest.mark.parametrize("key", ["", "k" * 65, "ü" * 33])
def test_keys_of_another_length_are_refused(key):
    with pytest.raises(InputError) as refused:
        build(values(3), key)
    assert refused.value.code == "filter-parameters"


def test_neither_key_nor_digest_is_printed():
    text = repr(build(values(3), "a secret key"))
    assert "secret" not in text
    assert len(text) < 400


def test_the_warning_says_who_can_test_guesses():
    assert "has its key" in WARNING
    assert "any guess" in WARNING
