"""Tags of a published set: the same for publisher and asker, and in the buckets that they are asked by."""

import hashlib
import os

import blake3
import numpy as np
import pytest

from crypto import labels, oprf, publishing, rows
from crypto.errors import ParameterError, VerificationError
from crypto.filters import Golomb

ITEMS = np.frombuffer(os.urandom(32 * 300), np.uint8).reshape(-1, 32)
KEY = publishing.epoch_key(bytes(range(32)), b"epoch")


def test_publisher_and_asker_compute_the_same_tags():
    blinds, blinded = oprf.bulk_blind(ITEMS)
    evaluated, proof = oprf.bulk_blind_evaluate(KEY, blinded)
    told = {"blinded": blinded, "proof": proof, "public_key": KEY.public_key}
    asked = publishing.tags_of(oprf.bulk_finalize(ITEMS, blinds, evaluated, **told), KEY.public_key)
    assert np.array_equal(asked, publishing.tags_of(oprf.evaluate(KEY, ITEMS), KEY.public_key))
    assert Golomb.build(asked, 2**-30).contains(asked).all()


def test_another_key_is_found_out():
    other = publishing.epoch_key(bytes(32), b"epoch")
    blinds, blinded = oprf.bulk_blind(ITEMS)
    evaluated, proof = oprf.bulk_blind_evaluate(other, blinded)
    with pytest.raises(VerificationError):
        oprf.bulk_finalize(ITEMS, blinds, evaluated, blinded=blinded, proof=proof, public_key=KEY.public_key)


def test_a_tag_is_what_the_page_says():
    outputs = oprf.evaluate(KEY, ITEMS)
    key = blake3.blake3(
        len(KEY.public_key).to_bytes(8, "little") + KEY.public_key, derive_key_context=labels.FILTER_TAG
    ).digest()
    expected = [blake3.blake3(row.tobytes(), key=key).digest()[:16] for row in outputs]
    assert [tag.tobytes() for tag in publishing.tags_of(outputs, KEY.public_key)] == expected


def test_another_epoch_has_other_tags():
    keys = [publishing.epoch_key(bytes(range(32)), name) for name in (b"epoch", b"other")]
    tags = [publishing.tags_of(oprf.evaluate(key, ITEMS), key.public_key) for key in keys]
    assert len(rows.join(*tags)[0]) == 0


def test_filling_begins_alike_however_much_there_is():
    seed = hashlib.sha256(b"seed").digest()
    many = publishing.filling(seed, 1000)
    assert np.array_equal(publishing.filling(seed, 10), many[:10])
    assert publishing.filling(seed, 0).shape == (0, 16)
    assert len(rows.unique(many)) == 1000
    assert not np.array_equal(publishing.filling(bytes(32), 10), many[:10])


def test_names_of_items_are_of_one_epoch():
    seed = hashlib.sha256(b"seed").digest()
    names = publishing.names_of(ITEMS, seed)
    assert names.shape == (300, 16)
    assert np.array_equal(names[:10], publishing.names_of(ITEMS[:10], seed))
    assert len(rows.unique(names)) == 300
    others = [publishing.names_of(ITEMS, bytes(32)), publishing.filling(seed, 300), ITEMS[:, :16].copy()]
    assert [len(rows.join(names, other)[0]) for other in others] == [0, 0, 0]


@pytest.mark.parametrize("n", [0, 1, 127, 128, 255, 256, 1000, 40_000])
def test_buckets_hold_every_tag_once(n):
    tags = rows.sort(np.frombuffer(os.urandom(16 * n), np.uint8).reshape(-1, 16))
    bits = publishing.bucket_bits(n)
    found = [publishing.in_bucket(tags, bucket, bits) for bucket in range(1 << bits)]
    assert np.array_equal(np.concatenate(found), tags)
    for bucket, part in enumerate(found):
        assert (publishing.buckets_of(np.ascontiguousarray(part), bits) == bucket).all()
    if bits:
        assert min(map(len, found)) >= publishing.BUCKET


def test_buckets_are_large_on_average_whatever_the_size():
    for n in (256, 1000, 2**20, 10**7, 2**32 - 1):
        assert 2 * publishing.BUCKET <= n / (1 << publishing.bucket_bits(n)) < 4 * publishing.BUCKET


@pytest.mark.parametrize("bucket", [-1, 8])
def test_there_is_no_bucket_beyond_the_last(bucket):
    with pytest.raises(ParameterError):
        publishing.in_bucket(np.zeros((0, 16), np.uint8), bucket, 3)


def test_what_is_no_output_is_refused():
    with pytest.raises(ParameterError):
        publishing.tags_of(ITEMS, KEY.public_key)
