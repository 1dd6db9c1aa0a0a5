from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class HelloRequest(_message.Message):
    __slots__ = ("nonce", "roster_epoch", "roster_hash", "rosters")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROSTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    ROSTERS_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    roster_epoch: int
    roster_hash: bytes
    rosters: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, nonce: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rosters: _Optional[_Iterable[bytes]] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("nonce", "roster_epoch", "roster_hash", "rosters", "profile", "protocols", "software", "signature")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROSTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    ROSTERS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOLS_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    roster_epoch: int
    roster_hash: bytes
    rosters: _containers.RepeatedScalarFieldContainer[bytes]
    profile: str
    protocols: _containers.RepeatedScalarFieldContainer[str]
    software: str
    signature: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rosters: _Optional[_Iterable[bytes]] = ..., profile: _Optional[str] = ..., protocols: _Optional[_Iterable[str]] = ..., software: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ProposeRequest(_message.Message):
    __slots__ = ("session", "roster_epoch", "roster_hash", "rung", "output", "protocol", "profile", "types", "padded", "stat_sec", "purpose", "policy_hash", "software", "deadline_s", "stage", "correlation")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ROSTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    PADDED_FIELD_NUMBER: _ClassVar[int]
    STAT_SEC_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    POLICY_HASH_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    roster_epoch: int
    roster_hash: bytes
    rung: str
    output: str
    protocol: str
    profile: str
    types: _containers.RepeatedScalarFieldContainer[str]
    padded: int
    stat_sec: int
    purpose: str
    policy_hash: bytes
    software: str
    deadline_s: int
    stage: str
    correlation: bytes
    def __init__(self, session: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rung: _Optional[str] = ..., output: _Optional[str] = ..., protocol: _Optional[str] = ..., profile: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., padded: _Optional[int] = ..., stat_sec: _Optional[int] = ..., purpose: _Optional[str] = ..., policy_hash: _Optional[bytes] = ..., software: _Optional[str] = ..., deadline_s: _Optional[int] = ..., stage: _Optional[str] = ..., correlation: _Optional[bytes] = ...) -> None: ...

class ProposeReply(_message.Message):
    __slots__ = ("nonce", "padded", "policy_hash", "software", "signature")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    PADDED_FIELD_NUMBER: _ClassVar[int]
    POLICY_HASH_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    padded: int
    policy_hash: bytes
    software: str
    signature: bytes
    def __init__(self, nonce: _Optional[bytes] = ..., padded: _Optional[int] = ..., policy_hash: _Optional[bytes] = ..., software: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...
