# The face of the Rust module: crypto/*.py validates what goes in, and nobody else imports it.

from collections.abc import Sequence
from typing import Never, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

_Rows: TypeAlias = NDArray[np.uint8]
_Indices: TypeAlias = NDArray[np.int64]

__all__ = [
    "Blinds",
    "PrivateKey",
    "group_hash_to_group",
    "group_validate",
    "hashing_derive_key",
    "hashing_keyed_rows",
    "hashing_keyed_values",
    "oprf_blind",
    "oprf_blind_evaluate",
    "oprf_bulk_blind",
    "oprf_bulk_blind_evaluate",
    "oprf_bulk_finalize",
    "oprf_derive_key",
    "oprf_evaluate",
    "oprf_finalize",
    "oprf_private_key",
    "oprf_usable",
    "oprf_verify_finalize",
    "rows_join",
    "rows_sort",
    "rows_unique",
]

@final
class PrivateKey:
    @property
    def mode(self) -> int: ...
    @property
    def public_key(self) -> bytes: ...
    def __reduce__(self) -> Never: ...

@final
class Blinds:
    def __len__(self) -> int: ...
    def __reduce__(self) -> Never: ...

def rows_sort(table: _Rows) -> _Rows: ...
def rows_unique(table: _Rows) -> _Indices: ...
def rows_join(left: _Rows, right: _Rows) -> tuple[_Indices, _Indices]: ...
def hashing_derive_key(label: str, material: Sequence[bytes]) -> bytes: ...
def hashing_keyed_rows(key: bytes, rows: _Rows) -> _Rows: ...
def hashing_keyed_values(key: bytes, prefix: bytes, values: bytes, ends: NDArray[np.uint64]) -> _Rows: ...
def group_hash_to_group(rows: _Rows, dst: bytes) -> _Rows: ...
def group_validate(rows: _Rows) -> None: ...
def oprf_usable(draws: bytes) -> bool: ...
def oprf_private_key(draw: bytes, mode: int) -> PrivateKey: ...
def oprf_derive_key(seed: bytes, info: bytes, mode: int) -> PrivateKey: ...
def oprf_blind(rows: _Rows, draws: bytes, mode: int) -> tuple[Blinds, _Rows]: ...
def oprf_bulk_blind(rows: _Rows, draws: bytes) -> tuple[Blinds, _Rows]: ...
def oprf_blind_evaluate(key: PrivateKey, blinded: _Rows, draw: bytes) -> tuple[_Rows, bytes]: ...
def oprf_bulk_blind_evaluate(
    key: PrivateKey, blinded: _Rows, draw: bytes, label: str
) -> tuple[_Rows, bytes]: ...
def oprf_finalize(rows: _Rows, blinds: Blinds, evaluated: _Rows) -> _Rows: ...
def oprf_verify_finalize(
    rows: _Rows, blinds: Blinds, evaluated: _Rows, *, blinded: _Rows, proof: bytes, public_key: bytes
) -> _Rows: ...
def oprf_bulk_finalize(
    rows: _Rows,
    blinds: Blinds,
    evaluated: _Rows,
    *,
    blinded: _Rows,
    proof: bytes,
    public_key: bytes,
    label: str,
) -> _Rows: ...
def oprf_evaluate(key: PrivateKey, rows: _Rows) -> _Rows: ...
