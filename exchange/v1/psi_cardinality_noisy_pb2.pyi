from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CardinalityNoisy(_message.Message):
    __slots__ = ()
    class Masked(_message.Message):
        __slots__ = ("masked",)
        MASKED_FIELD_NUMBER: _ClassVar[int]
        masked: _frame_pb2.Rows
        def __init__(self, masked: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Remasked(_message.Message):
        __slots__ = ("remasked",)
        REMASKED_FIELD_NUMBER: _ClassVar[int]
        remasked: _frame_pb2.Rows
        def __init__(self, remasked: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    class Tags(_message.Message):
        __slots__ = ("tags",)
        TAGS_FIELD_NUMBER: _ClassVar[int]
        tags: _frame_pb2.Rows
        def __init__(self, tags: _Optional[_Union[_frame_pb2.Rows, _Mapping]] = ...) -> None: ...
    def __init__(self) -> None: ...
