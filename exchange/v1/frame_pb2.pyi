from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rows(_message.Message):
    __slots__ = ("count", "width")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    count: int
    width: int
    def __init__(self, count: _Optional[int] = ..., width: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("start", "head", "chunk", "contribution", "progress")
    START_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    start: Start
    head: Head
    chunk: bytes
    contribution: Contribution
    progress: Progress
    def __init__(self, start: _Optional[_Union[Start, _Mapping]] = ..., head: _Optional[_Union[Head, _Mapping]] = ..., chunk: _Optional[bytes] = ..., contribution: _Optional[_Union[Contribution, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("session", "signature")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    signature: bytes
    def __init__(self, session: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("name", "body")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    name: str
    body: bytes
    def __init__(self, name: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("session", "step", "name", "digest")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    step: int
    name: str
    digest: bytes
    def __init__(self, session: _Optional[bytes] = ..., step: _Optional[int] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("step", "broken", "culprits", "left_ms", "awaited")
    STEP_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    CULPRITS_FIELD_NUMBER: _ClassVar[int]
    LEFT_MS_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    step: int
    broken: str
    culprits: _containers.RepeatedScalarFieldContainer[str]
    left_ms: int
    awaited: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step: _Optional[int] = ..., broken: _Optional[str] = ..., culprits: _Optional[_Iterable[str]] = ..., left_ms: _Optional[int] = ..., awaited: _Optional[_Iterable[str]] = ...) -> None: ...
