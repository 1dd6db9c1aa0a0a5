from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoleContext(_message.Message):
    __slots__ = ()
    class Functions(_message.Message):
        __slots__ = ("functions",)
        FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
        functions: _frame_pb2.Rows
        def __init__(self, functions: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Transfers(_message.Message):
        __slots__ = ("element", "ciphertexts", "columns", "proof")
        ELEMENT_FIELD_NUMBER: _ClassVar[int]
        CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
        COLUMNS_FIELD_NUMBER: _ClassVar[int]
        PROOF_FIELD_NUMBER: _ClassVar[int]
        element: bytes
        ciphertexts: _frame_pb2.Rows
        columns: _frame_pb2.Rows
        proof: bytes
        def __init__(self, element: _Optional[bytes] = ..., ciphertexts: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., columns: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ..., proof: _Optional[bytes] = ...) -> None: ...
    class Trees(_message.Message):
        __slots__ = ("trees",)
        TREES_FIELD_NUMBER: _ClassVar[int]
        trees: _frame_pb2.Rows
        def __init__(self, trees: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Challenge(_message.Message):
        __slots__ = ("challenge",)
        CHALLENGE_FIELD_NUMBER: _ClassVar[int]
        challenge: bytes
        def __init__(self, challenge: _Optional[bytes] = ...) -> None: ...
    class Answer(_message.Message):
        __slots__ = ("answer",)
        ANSWER_FIELD_NUMBER: _ClassVar[int]
        answer: bytes
        def __init__(self, answer: _Optional[bytes] = ...) -> None: ...
    class Commitments(_message.Message):
        __slots__ = ("salt", "coin")
        SALT_FIELD_NUMBER: _ClassVar[int]
        COIN_FIELD_NUMBER: _ClassVar[int]
        salt: bytes
        coin: bytes
        def __init__(self, salt: _Optional[bytes] = ..., coin: _Optional[bytes] = ...) -> None: ...
    class Salt(_message.Message):
        __slots__ = ("salt",)
        SALT_FIELD_NUMBER: _ClassVar[int]
        salt: bytes
        def __init__(self, salt: _Optional[bytes] = ...) -> None: ...
    class Opening(_message.Message):
        __slots__ = ("salt",)
        SALT_FIELD_NUMBER: _ClassVar[int]
        salt: bytes
        def __init__(self, salt: _Optional[bytes] = ...) -> None: ...
    class Store(_message.Message):
        __slots__ = ("coin", "store")
        COIN_FIELD_NUMBER: _ClassVar[int]
        STORE_FIELD_NUMBER: _ClassVar[int]
        coin: bytes
        store: _frame_pb2.Rows
        def __init__(self, coin: _Optional[bytes] = ..., store: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Tags(_message.Message):
        __slots__ = ("coin", "transcript", "tags")
        COIN_FIELD_NUMBER: _ClassVar[int]
        TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
        TAGS_FIELD_NUMBER: _ClassVar[int]
        coin: bytes
        transcript: bytes
        tags: _frame_pb2.Rows
        def __init__(self, coin: _Optional[bytes] = ..., transcript: _Optional[bytes] = ..., tags: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Sealed(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class MatchProofs(_message.Message):
        __slots__ = ("proofs",)
        PROOFS_FIELD_NUMBER: _ClassVar[int]
        proofs: _frame_pb2.Rows
        def __init__(self, proofs: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    def __init__(self) -> None: ...
