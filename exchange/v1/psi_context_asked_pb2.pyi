from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContextAsked(_message.Message):
    __slots__ = ()
    class Blinded(_message.Message):
        __slots__ = ("blinded",)
        BLINDED_FIELD_NUMBER: _ClassVar[int]
        blinded: _frame_pb2.Rows
        def __init__(self, blinded: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Evaluated(_message.Message):
        __slots__ = ("public_key", "proof", "evaluated")
        PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
        PROOF_FIELD_NUMBER: _ClassVar[int]
        EVALUATED_FIELD_NUMBER: _ClassVar[int]
        public_key: bytes
        proof: bytes
        evaluated: _frame_pb2.Rows
        def __init__(self, public_key: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., evaluated: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Tags(_message.Message):
        __slots__ = ("tags",)
        TAGS_FIELD_NUMBER: _ClassVar[int]
        tags: _frame_pb2.Rows
        def __init__(self, tags: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class MatchProofs(_message.Message):
        __slots__ = ("proofs",)
        PROOFS_FIELD_NUMBER: _ClassVar[int]
        proofs: _frame_pb2.Rows
        def __init__(self, proofs: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Sealed(_message.Message):
        __slots__ = ("rows",)
        ROWS_FIELD_NUMBER: _ClassVar[int]
        rows: _frame_pb2.Rows
        def __init__(self, rows: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    def __init__(self) -> None: ...
