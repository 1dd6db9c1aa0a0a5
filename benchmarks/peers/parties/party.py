"""What the scripts of peers share. They run in environments of their own, so nothing of ours is imported."""

import json
import resource
import socket
import struct
import sys
import threading
import time


def told():
    """What the runner says: one JSON argument."""
    return json.loads(sys.argv[1])


def lines(path):
    """The items of a party."""
    with open(path) as file:
        return file.read().split()


def say(**what):
    """One JSON line."""
    print(json.dumps(what), flush=True)


def costs():
    """What this process took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_s": used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime - START_CPU,
        "peak_mib": _peak_mib(),
    }


def _peak_mib():
    """The most that this process held. ``ru_maxrss`` would be the parent's, if that was more."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def begin():
    """The clock of the processor starts: what was before is importing and reading."""
    global START_CPU
    START_CPU = 0.0
    START_CPU = costs()["cpu_s"]


START_CPU = 0.0


class Line:
    """Length-prefixed messages over one connection; what is sent goes out beside what is received."""

    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._sending = []
        self.sent = 0

    @classmethod
    def listening(cls, address):
        """Wait for the peer, telling the runner the port."""
        with socket.create_server((address, 0)) as server:
            say(ready=server.getsockname()[1])
            return cls(server.accept()[0])

    @classmethod
    def to(cls, address, port):
        """Dial the peer."""
        return cls(socket.create_connection((address, port)))

    def send(self, data):
        """Send a message: in a thread, since both may send first."""
        self.sent += 8 + len(data)
        framed = struct.pack("<Q", len(data))

        def out():
            self._connection.sendall(framed)
            self._connection.sendall(data)

        self._sending.append(threading.Thread(target=out))
        self._sending[-1].start()

    def receive(self):
        """Receive a message."""
        (length,) = struct.unpack("<Q", self._stream.read(8))
        data = self._stream.read(length)
        if len(data) != length:
            raise ConnectionError("the peer went away")
        return data

    def end(self):
        """All that was sent is out."""
        for thread in self._sending:
            thread.join()


now = time.monotonic
