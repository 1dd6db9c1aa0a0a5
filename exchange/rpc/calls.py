"""The stream that every call is to the server: its next message, an answer, and who calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from exchange.errors import PeerUnavailable


async def read_from(context: Any) -> bytes | None:
    """The caller's next message, ``None`` after the last."""
    with _gone():
        data = await context.read()
    return None if data is grpc.aio.EOF else data


async def write_to(context: Any, reply: bytes) -> None:
    """Answer with one message."""
    with _gone():
        await context.write(reply)


@contextmanager
def _gone() -> Iterator[None]:
    """What gRPC raises when the peer is no more there, in our words."""
    try:
        yield
    except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as e:
        raise PeerUnavailable("the peer is gone", code="peer-closed") from e


def leaf_of(context: Any) -> bytes:
    """The certificate that the caller shows, PEM."""
    pem: bytes = context.auth_context()["x509_pem_cert"][0]
    return pem
