from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeysRequest(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: bytes
    def __init__(self, round: _Optional[bytes] = ...) -> None: ...

class KeysReply(_message.Message):
    __slots__ = ("announcement", "signature")
    ANNOUNCEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    announcement: bytes
    signature: bytes
    def __init__(self, announcement: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("epoch", "declared", "blinded")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    BLINDED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    declared: int
    blinded: bytes
    def __init__(self, epoch: _Optional[int] = ..., declared: _Optional[int] = ..., blinded: _Optional[bytes] = ...) -> None: ...

class TokenRequest(_message.Message):
    __slots__ = ("round", "blinded")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    BLINDED_FIELD_NUMBER: _ClassVar[int]
    round: bytes
    blinded: bytes
    def __init__(self, round: _Optional[bytes] = ..., blinded: _Optional[bytes] = ...) -> None: ...

class EvaluateReply(_message.Message):
    __slots__ = ("evaluated", "proof")
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    evaluated: bytes
    proof: bytes
    def __init__(self, evaluated: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class RedeemRequest(_message.Message):
    __slots__ = ("round", "tokens", "batches")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    round: bytes
    tokens: _containers.RepeatedScalarFieldContainer[bytes]
    batches: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, round: _Optional[bytes] = ..., tokens: _Optional[_Iterable[bytes]] = ..., batches: _Optional[_Iterable[bytes]] = ...) -> None: ...

class RedeemReply(_message.Message):
    __slots__ = ("good",)
    GOOD_FIELD_NUMBER: _ClassVar[int]
    good: bytes
    def __init__(self, good: _Optional[bytes] = ...) -> None: ...

class DepositRequest(_message.Message):
    __slots__ = ("head", "chunk")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    head: DepositHead
    chunk: bytes
    def __init__(self, head: _Optional[_Union[DepositHead, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class SignedWord(_message.Message):
    __slots__ = ("body", "signature")
    BODY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    signature: bytes
    def __init__(self, body: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class DepositHead(_message.Message):
    __slots__ = ("round", "stage", "digest", "size", "signature", "wait_s", "listed", "root", "keys")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    round: bytes
    stage: str
    digest: bytes
    size: int
    signature: bytes
    wait_s: int
    listed: bytes
    root: bytes
    keys: _containers.RepeatedCompositeFieldContainer[SignedWord]
    def __init__(self, round: _Optional[bytes] = ..., stage: _Optional[str] = ..., digest: _Optional[bytes] = ..., size: _Optional[int] = ..., signature: _Optional[bytes] = ..., wait_s: _Optional[int] = ..., listed: _Optional[bytes] = ..., root: _Optional[bytes] = ..., keys: _Optional[_Iterable[_Union[SignedWord, _Mapping]]] = ...) -> None: ...

class DepositReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OutcomeRequest(_message.Message):
    __slots__ = ("round", "stage", "wait_s")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    round: bytes
    stage: str
    wait_s: int
    def __init__(self, round: _Optional[bytes] = ..., stage: _Optional[str] = ..., wait_s: _Optional[int] = ...) -> None: ...

class OutcomeReply(_message.Message):
    __slots__ = ("head", "chunk")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    head: OutcomeHead
    chunk: bytes
    def __init__(self, head: _Optional[_Union[OutcomeHead, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class OutcomeHead(_message.Message):
    __slots__ = ("state", "code", "culprits", "reasons", "listed", "list_signature", "signature", "size", "came", "proofs")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CULPRITS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    LIST_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CAME_FIELD_NUMBER: _ClassVar[int]
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    state: str
    code: str
    culprits: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    listed: bytes
    list_signature: bytes
    signature: bytes
    size: int
    came: int
    proofs: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, state: _Optional[str] = ..., code: _Optional[str] = ..., culprits: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[str]] = ..., listed: _Optional[bytes] = ..., list_signature: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., size: _Optional[int] = ..., came: _Optional[int] = ..., proofs: _Optional[_Iterable[bytes]] = ...) -> None: ...
