"""A wire tap: a TCP proxy between two nodes that keeps, or stops, what passes."""

import socket
import threading
from typing import Self

BLOCK = 1 << 16


class Tap:
    """Forwards connections to one address; used as a context.

    Args:
        target: the address.
        stop_after: when so many bytes came from whoever connected, nothing passes any more, either way, and
            the connections stay open until one end closes its own.
        answers: whether the bytes to whoever connected are counted instead.

    Attributes:
        address: where to connect instead.
        sent: every byte from whoever connected.
        received: every byte to it.
    """

    def __init__(self, target: str, *, stop_after: int | None = None, answers: bool = False) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._stop_after = stop_after
        self._flowing = threading.Event()
        self._flowing.set()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = bytearray()
        self.received = bytearray()
        self._counted = self.received if answers else self.sent

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        for open_ in self._sockets:
            _close(open_)
        for thread in self._threads:
            thread.join(timeout=10)

    def wait_stopped(self, timeout_s: float = 60) -> None:
        """Wait until nothing passes any more."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._flowing.is_set(), timeout_s), (
                "too little was sent"
            )

    def cut(self) -> None:
        """Close every connection that is open; new ones are made as before."""
        for open_ in self._sockets[1:]:
            _close(open_)
        del self._sockets[1:]

    def _start(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
                callee = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [caller, callee]
            self._start(self._pump, caller, callee, self.sent)
            self._start(self._pump, callee, caller, self.received)

    def _keep(self, kept: bytearray, data: bytes) -> bytes:
        """Keep what came; gives what of it may pass."""
        with self._changed:
            if not self._flowing.is_set():
                return b""
            if kept is self._counted and self._stop_after is not None:
                data = data[: self._stop_after - len(kept)]
            kept += data
            if len(self._counted) == self._stop_after:
                self._flowing.clear()
                self._changed.notify_all()
            return data

    def _pump(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        try:
            while data := source.recv(BLOCK):
                target.sendall(self._keep(kept, data))
        except OSError:
            pass
        finally:
            _close(source)
            _close(target)


def _close(open_: socket.socket) -> None:
    try:
        open_.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        open_.close()
