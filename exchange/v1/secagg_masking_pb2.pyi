from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Masking(_message.Message):
    __slots__ = ()
    class Join(_message.Message):
        __slots__ = ("key", "mask_key", "commitment", "possession", "signature")
        KEY_FIELD_NUMBER: _ClassVar[int]
        MASK_KEY_FIELD_NUMBER: _ClassVar[int]
        COMMITMENT_FIELD_NUMBER: _ClassVar[int]
        POSSESSION_FIELD_NUMBER: _ClassVar[int]
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        mask_key: bytes
        commitment: bytes
        possession: bytes
        signature: bytes
        def __init__(self, key: _Optional[bytes] = ..., mask_key: _Optional[bytes] = ..., commitment: _Optional[bytes] = ..., possession: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...
    class Dealing(_message.Message):
        __slots__ = ("rows", "signature")
        ROWS_FIELD_NUMBER: _ClassVar[int]
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        signature: bytes
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
    class Masked(_message.Message):
        __slots__ = ("vector", "signature")
        VECTOR_FIELD_NUMBER: _ClassVar[int]
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        vector: _frame_pb2.Rows
        signature: bytes
        def __init__(self, vector: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
    class Agreed(_message.Message):
        __slots__ = ("signature",)
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        signature: bytes
        def __init__(self, signature: _Optional[bytes] = ...) -> None: ...
    class Shares(_message.Message):
        __slots__ = ("rows", "signature")
        ROWS_FIELD_NUMBER: _ClassVar[int]
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        signature: bytes
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
    class Signed(_message.Message):
        __slots__ = ("signature",)
        SIGNATURE_FIELD_NUMBER: _ClassVar[int]
        signature: bytes
        def __init__(self, signature: _Optional[bytes] = ...) -> None: ...
    class Complaint(_message.Message):
        __slots__ = ("accused", "point", "proof")
        ACCUSED_FIELD_NUMBER: _ClassVar[int]
        POINT_FIELD_NUMBER: _ClassVar[int]
        PROOF_FIELD_NUMBER: _ClassVar[int]
        accused: bytes
        point: bytes
        proof: bytes
        def __init__(self, accused: _Optional[bytes] = ..., point: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...
    class Roll(_message.Message):
        __slots__ = ("members",)
        MEMBERS_FIELD_NUMBER: _ClassVar[int]
        members: bytes
        def __init__(self, members: _Optional[bytes] = ...) -> None: ...
    class Joins(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Dealings(_message.Message):
        __slots__ = ("rows", "digests", "signatures")
        ROWS_FIELD_NUMBER: _ClassVar[int]
        DIGESTS_FIELD_NUMBER: _ClassVar[int]
        SIGNATURES_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        digests: _frame_pb2.Rows
        signatures: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., digests: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., signatures: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Roots(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Agreements(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Opened(_message.Message):
        __slots__ = ("seeds", "vector")
        SEEDS_FIELD_NUMBER: _ClassVar[int]
        VECTOR_FIELD_NUMBER: _ClassVar[int]
        seeds: _frame_pb2.Rows
        vector: _frame_pb2.Rows
        def __init__(self, seeds: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., vector: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Receipts(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Digests(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Chunk(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    def __init__(self) -> None: ...
