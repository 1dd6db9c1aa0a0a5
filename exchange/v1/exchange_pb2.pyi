from exchange.v1 import discovery_pb2 as _discovery_pb2
from exchange.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Standing(_message.Message):
    __slots__ = ("note", "old_size", "consistency", "commitment", "inclusion")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    old_size: int
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    commitment: bytes
    inclusion: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, note: _Optional[bytes] = ..., old_size: _Optional[int] = ..., consistency: _Optional[_Iterable[bytes]] = ..., commitment: _Optional[bytes] = ..., inclusion: _Optional[_Iterable[bytes]] = ...) -> None: ...

class HelloRequest(_message.Message):
    __slots__ = ("nonce", "roster_epoch", "roster_hash", "rosters", "log_size")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROSTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    ROSTERS_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    roster_epoch: int
    roster_hash: bytes
    rosters: _containers.RepeatedScalarFieldContainer[bytes]
    log_size: int
    def __init__(self, nonce: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rosters: _Optional[_Iterable[bytes]] = ..., log_size: _Optional[int] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("nonce", "roster_epoch", "roster_hash", "rosters", "profile", "protocols", "software", "signature", "log_size", "standing")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    ROSTER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    ROSTERS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOLS_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    roster_epoch: int
    roster_hash: bytes
    rosters: _containers.RepeatedScalarFieldContainer[bytes]
    profile: str
    protocols: _containers.RepeatedScalarFieldContainer[str]
    software: str
    signature: bytes
    log_size: int
    standing: Standing
    def __init__(self, nonce: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rosters: _Optional[_Iterable[bytes]] = ..., profile: _Optional[str] = ..., protocols: _Optional[_Iterable[str]] = ..., software: _Optional[str] = ..., signature: _Optional[bytes] = ..., log_size: _Optional[int] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...

class ProposeRequest(_message.Message):
    __slots__ = ("session", "roster_epoch", "roster_hash", "rung", "output", "protocol", "profile", "types", "padded", "stat_sec", "purpose", "policy_hash", "software", "deadline_s", "stage", "correlation", "below", "policy_revision", "standing", "base", "initiator_new", "over", "turned")
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
    BELOW_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    INITIATOR_NEW_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    TURNED_FIELD_NUMBER: _ClassVar[int]
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
    below: bytes
    policy_revision: int
    standing: Standing
    base: bytes
    initiator_new: int
    over: str
    turned: bool
    def __init__(self, session: _Optional[bytes] = ..., roster_epoch: _Optional[int] = ..., roster_hash: _Optional[bytes] = ..., rung: _Optional[str] = ..., output: _Optional[str] = ..., protocol: _Optional[str] = ..., profile: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., padded: _Optional[int] = ..., stat_sec: _Optional[int] = ..., purpose: _Optional[str] = ..., policy_hash: _Optional[bytes] = ..., software: _Optional[str] = ..., deadline_s: _Optional[int] = ..., stage: _Optional[str] = ..., correlation: _Optional[bytes] = ..., below: _Optional[bytes] = ..., policy_revision: _Optional[int] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ..., base: _Optional[bytes] = ..., initiator_new: _Optional[int] = ..., over: _Optional[str] = ..., turned: _Optional[bool] = ...) -> None: ...

class ProposeReply(_message.Message):
    __slots__ = ("nonce", "padded", "policy_hash", "software", "signature", "policy_revision", "set", "responder_new", "label_bytes", "bands", "epsilon_milli")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    PADDED_FIELD_NUMBER: _ClassVar[int]
    POLICY_HASH_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    RESPONDER_NEW_FIELD_NUMBER: _ClassVar[int]
    LABEL_BYTES_FIELD_NUMBER: _ClassVar[int]
    BANDS_FIELD_NUMBER: _ClassVar[int]
    EPSILON_MILLI_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    padded: int
    policy_hash: bytes
    software: str
    signature: bytes
    policy_revision: int
    set: bytes
    responder_new: int
    label_bytes: int
    bands: _containers.RepeatedScalarFieldContainer[int]
    epsilon_milli: int
    def __init__(self, nonce: _Optional[bytes] = ..., padded: _Optional[int] = ..., policy_hash: _Optional[bytes] = ..., software: _Optional[str] = ..., signature: _Optional[bytes] = ..., policy_revision: _Optional[int] = ..., set: _Optional[bytes] = ..., responder_new: _Optional[int] = ..., label_bytes: _Optional[int] = ..., bands: _Optional[_Iterable[int]] = ..., epsilon_milli: _Optional[int] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("session", "part", "signature", "old_size", "consistency", "log_size")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    part: bytes
    signature: bytes
    old_size: int
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    log_size: int
    def __init__(self, session: _Optional[bytes] = ..., part: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., old_size: _Optional[int] = ..., consistency: _Optional[_Iterable[bytes]] = ..., log_size: _Optional[int] = ...) -> None: ...

class SettleReply(_message.Message):
    __slots__ = ("receipt", "consistency")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, receipt: _Optional[bytes] = ..., consistency: _Optional[_Iterable[bytes]] = ...) -> None: ...

class DownloadRequest(_message.Message):
    __slots__ = ("session", "signature", "have", "partial", "offset")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    HAVE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    signature: bytes
    have: bytes
    partial: bytes
    offset: int
    def __init__(self, session: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., have: _Optional[bytes] = ..., partial: _Optional[bytes] = ..., offset: _Optional[int] = ...) -> None: ...

class DownloadReply(_message.Message):
    __slots__ = ("described", "chunk")
    DESCRIBED_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    described: Described
    chunk: bytes
    def __init__(self, described: _Optional[_Union[Described, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class Described(_message.Message):
    __slots__ = ("publication", "signature", "form", "size", "offset")
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    publication: bytes
    signature: bytes
    form: str
    size: int
    offset: int
    def __init__(self, publication: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., form: _Optional[str] = ..., size: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("session", "signature", "blinded", "buckets", "done")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    BLINDED_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    signature: bytes
    blinded: bytes
    buckets: _containers.RepeatedScalarFieldContainer[int]
    done: bool
    def __init__(self, session: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., blinded: _Optional[bytes] = ..., buckets: _Optional[_Iterable[int]] = ..., done: _Optional[bool] = ...) -> None: ...

class AskReply(_message.Message):
    __slots__ = ("evaluated", "proof", "buckets")
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    evaluated: bytes
    proof: bytes
    buckets: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, evaluated: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., buckets: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ConvenedRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    def __init__(self, session: _Optional[bytes] = ...) -> None: ...

class ConvenedReply(_message.Message):
    __slots__ = ("convening", "chunk")
    CONVENING_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    convening: Convening
    chunk: bytes
    def __init__(self, convening: _Optional[_Union[Convening, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class Convening(_message.Message):
    __slots__ = ("opening", "signature", "size", "progress")
    OPENING_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    opening: bytes
    signature: bytes
    size: int
    progress: _frame_pb2.Progress
    def __init__(self, opening: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., size: _Optional[int] = ..., progress: _Optional[_Union[_frame_pb2.Progress, _Mapping]] = ...) -> None: ...

class ContributeReply(_message.Message):
    __slots__ = ("known",)
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    known: bool
    def __init__(self, known: _Optional[bool] = ...) -> None: ...

class CollectRequest(_message.Message):
    __slots__ = ("session", "step", "have", "wait_ms")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    HAVE_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    step: int
    have: int
    wait_ms: int
    def __init__(self, session: _Optional[bytes] = ..., step: _Optional[int] = ..., have: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("session", "chunk")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    chunk: int
    def __init__(self, session: _Optional[bytes] = ..., chunk: _Optional[int] = ...) -> None: ...
