"""The one table between refusal codes and gRPC statuses. A peer is told a code from here, never a detail."""

from typing import NoReturn

import grpc

from exchange.disclosure import Stale
from exchange.errors import CosightError, NotAuthorised, PeerRefused, PeerUnavailable, SessionRefused

STATUS: dict[str, grpc.StatusCode] = {
    "aborted": grpc.StatusCode.ABORTED,
    "bad-identity": grpc.StatusCode.UNAUTHENTICATED,
    "busy": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "certificate-expired": grpc.StatusCode.UNAUTHENTICATED,
    "correlation-unknown": grpc.StatusCode.NOT_FOUND,
    "epoch-over": grpc.StatusCode.FAILED_PRECONDITION,
    "key-not-pinned": grpc.StatusCode.UNAUTHENTICATED,
    "lease-spent": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "log-refused": grpc.StatusCode.FAILED_PRECONDITION,
    "log-stale": grpc.StatusCode.ABORTED,
    "malformed": grpc.StatusCode.INVALID_ARGUMENT,
    "not-drawn": grpc.StatusCode.FAILED_PRECONDITION,
    "not-on-roster": grpc.StatusCode.PERMISSION_DENIED,
    "not-ready": grpc.StatusCode.UNAVAILABLE,
    "nothing-published": grpc.StatusCode.NOT_FOUND,
    "policy-refused": grpc.StatusCode.PERMISSION_DENIED,
    "profile-mismatch": grpc.StatusCode.FAILED_PRECONDITION,
    "protocol-unknown": grpc.StatusCode.UNIMPLEMENTED,
    "quota-spent": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "receipt-due": grpc.StatusCode.FAILED_PRECONDITION,
    "receipt-refused": grpc.StatusCode.FAILED_PRECONDITION,
    "roster-mismatch": grpc.StatusCode.FAILED_PRECONDITION,
    "second-batch": grpc.StatusCode.ALREADY_EXISTS,
    "second-token": grpc.StatusCode.ALREADY_EXISTS,
    "session-replayed": grpc.StatusCode.ALREADY_EXISTS,
    "session-unknown": grpc.StatusCode.NOT_FOUND,
    "spoken-otherwise": grpc.StatusCode.ALREADY_EXISTS,
    "split-keys": grpc.StatusCode.FAILED_PRECONDITION,
    "state-unknown": grpc.StatusCode.NOT_FOUND,
    "step-over": grpc.StatusCode.FAILED_PRECONDITION,
    "too-few-batches": grpc.StatusCode.FAILED_PRECONDITION,
    "too-large": grpc.StatusCode.OUT_OF_RANGE,
    "too-late": grpc.StatusCode.FAILED_PRECONDITION,
}
WHY = {
    "aborted": "it ended the session and gives no reason",
    "bad-identity": "it does not recognise the identity in our certificate",
    "busy": "it runs as many sessions, or holds as many calls of ours, as it allows at once",
    "certificate-expired": "our certificate has expired",
    "correlation-unknown": "it does not hold what was made ahead for this match",
    "epoch-over": "its key of that epoch is deleted, or is another one than we were shown",
    "key-not-pinned": "our certificate was not issued under the key that the roster holds for us",
    "lease-spent": "we have asked as much as was agreed on",
    "log-refused": "our ledger does not continue what it has seen of it",
    "log-stale": "it has seen more of our ledger meanwhile than we proved it from",
    "malformed": "it could not read our request",
    "not-on-roster": "we are not on its roster",
    "not-ready": "it cannot take part just now",
    "nothing-published": "it publishes no filter that we may ask about",
    "policy-refused": "its policy does not allow this",
    "profile-mismatch": "it writes indicators in another canonical profile",
    "protocol-unknown": "it does not run this protocol",
    "receipt-due": "we owe it the receipts of earlier sessions",
    "receipt-refused": "it does not sign what we state of a session",
    "roster-mismatch": "it holds another roster than we do",
    "session-replayed": "it has seen this session before",
    "session-unknown": "it knows no such session, or it has expired",
    "spoken-otherwise": "it has another message of ours for this step of the aggregation",
    "state-unknown": "it cannot go on from the session that we named",
    "not-drawn": "it has no such part in this discovery, or we have none",
    "quota-spent": "we have asked as many indicators in this epoch as the size that we declared allows",
    "second-batch": "we brought another batch to this discovery before",
    "second-token": "we asked for another token in this discovery before",
    "split-keys": "others were shown other keys of this discovery than we were",
    "step-over": "this step of the aggregation is over without us",
    "too-few-batches": "fewer batches came to this discovery than all agreed on",
    "too-large": "the declared size or deadline is over its limit",
    "too-late": "the batches of this discovery are counted already",
}
HINTS = {
    "log-refused": "was our ledger restored from an old copy? restore the newest one; see docs/ledger.md",
    "log-stale": "try again",
    "busy": "try again in a minute",
    "nothing-published": "ask them to run: cosight filter build",
    "policy-refused": "ask the peer which rule decided; `cosight ledger show` has our side",
    "roster-mismatch": "a newer roster came meanwhile: try again; if it stays, compare what"
    " `cosight alliance roster` prints on both sides: who has the lower number takes up the newest approval",
    "not-on-roster": "it holds an older roster: send it the newest approval, which it takes up with `cosight"
    " alliance join APPROVAL`; or a newer one without us: ask an administrator",
    "epoch-over": "run it again; if it stays, that helper's home was restored from an old copy",
    "not-drawn": "compare rosters and what was asked: all have to ask the same",
    "quota-spent": "wait for the next epoch, or name other helpers: --relay, --counter, --helper twice",
    "second-batch": "was our home restored from an older copy? ask again tomorrow or with another --purpose",
    "second-token": "was our home restored from an older copy? ask again tomorrow or with another --purpose",
    "too-late": "ask again tomorrow, or all of you with another --purpose",
    "certificate-expired": "check this machine's clock; certificates renew by themselves",
    "aborted": "its own ledger has the reason: ask them",
    "bad-identity": "check which home and address are used",
    "correlation-unknown": "run it again: it is done without what was made ahead",
    "key-not-pinned": "is this the home that joined? restore its keys/",
    "lease-spent": "begin a new session",
    "malformed": "compare versions: cosight --version",
    "not-ready": "try again; if it stays, ask them: the log of its node says why",
    "profile-mismatch": "run versions with the same canonical profile",
    "protocol-unknown": "run versions with the same protocols",
    "receipt-due": "they are asked for at every contact: try again; if it stays, compare both ledgers",
    "receipt-refused": "compare both ledgers: cosight ledger show",
    "session-replayed": "begin a new one; if nobody repeated it, somebody tried to",
    "session-unknown": "was its node restarted, or is it over? begin a new one",
    "split-keys": "all of you name others: --relay, --counter, and --helper twice; or run it again tomorrow",
    "spoken-otherwise": "was our home restored from an older copy? the next window can be counted",
    "state-unknown": "run it again: it is run whole",
    "step-over": "the coordinator can open the next window, with a longer --deadline",
    "too-few-batches": "agree with the others on a time, and run the same again",
    "too-large": "see max_rows, max_context_mib, max_discovery_mib, deadline_s in config.toml of who refused",
}


def outward(error: CosightError) -> str:
    """The code that a peer may see for this error of ours: a refusal its own, all else that it ended."""
    told = isinstance(error, SessionRefused | NotAuthorised | Stale) and error.code in STATUS
    return error.code if told else "aborted"


def raise_for(error: grpc.aio.AioRpcError, peer: str) -> NoReturn:
    """Turn what gRPC raised at our side of a call into an error for the operator.

    Only codes from the table are repeated: a peer does not get to write on our terminal.

    Raises:
        PeerRefused: the peer said no.
        PeerUnavailable: it cannot be reached, or not in time.
    """
    code = error.details() or ""
    if STATUS.get(code) is error.code():
        said = f"{peer} refused: {WHY[code]}"
        raise PeerRefused(said, code=code, hint=HINTS[code], peer=peer) from None
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise PeerUnavailable(f"{peer} did not answer in time", code="peer-stalled") from None
    if error.code() is grpc.StatusCode.OK:
        raise PeerUnavailable(f"{peer} closed the run before its end", code="peer-closed") from None
    raise PeerUnavailable(
        f"{peer} cannot be reached ({error.code().name.lower().replace('_', ' ')})",
        hint="check its address and that `cosight serve` runs there; a peer that does not accept our"
        " certificate looks the same",
    ) from None
