"""Two hosts on this machine with a link between them.

    python -m exchange.bench.shaper BITS-A-SECOND DELAY-S LOSS SEED

Each host is a network namespace with one TUN device. This process holds the other ends of both and carries
every packet across: it waits its turn at the given rate, then for the delay, or is lost. What runs in the
namespaces is real TCP of this kernel, with its windows, its slow start and its retransmissions. (``tc
netem`` does the same in the kernel, where that was built with it; many were not.)

Where nothing is lost, the kernel hands over segments of up to 64 KiB, as it does to a network card that
cuts them itself; with losses each packet comes alone.

It prints one JSON line once both hosts are there, and takes them down when its standard input closes, so
they do not outlive whoever asked for them, however that ends. Linux, and root.
"""

import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SIDES = ("a", "b")
NETWORK = "10.254.77"
"""Both hosts see nothing but each other, so it can be no network of anybody's."""
_TUN = "/dev/net/tun"
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_TUN_F_CSUM, _TUN_F_TSO4 = 0x01, 0x02
_VNET_HEAD = struct.Struct("<BBHHHH")
"""flags, GSO type, length of the heads, bytes of payload in a segment, two of the checksum."""
_MOST = 1 << 17
_BUFFER_S = 0.05
"""How long a packet may wait for its turn before it is dropped, or as long as the round trip takes, if that
is more."""


@dataclass(slots=True)
class Way:
    """One direction of the link.

    Attributes:
        bits_per_s: its rate.
        delay_s: between a packet's last bit out and its arrival.
        loss: share of the packets that are lost.
        chance: for the losses; nothing secret depends on it.
    """

    bits_per_s: float
    delay_s: float
    loss: float
    chance: random.Random
    _free_s: float = 0.0
    _due: deque[tuple[float, bytes]] = field(default_factory=deque)
    _some: threading.Condition = field(default_factory=threading.Condition)

    def take(self, packet: bytes, now_s: float) -> None:
        """A packet left its host: when it arrives, if it does."""
        self._free_s = max(self._free_s, now_s)
        if self._free_s - now_s > max(_BUFFER_S, 2 * self.delay_s) or self.chance.random() < self.loss:
            return
        self._free_s += 8 * on_the_line(packet) / self.bits_per_s
        with self._some:
            self._due.append((self._free_s + self.delay_s, packet))
            self._some.notify()

    def give(self) -> bytes:
        """The next packet, when it is due."""
        with self._some:
            while not self._due:
                self._some.wait()
            due_s, packet = self._due.popleft()
        if (wait_s := due_s - time.monotonic()) > 0:
            time.sleep(wait_s)
        return packet


def on_the_line(packet: bytes) -> int:
    """Bytes that this takes on the line, with the heads that each of its segments gets there."""
    _, gso, heads, segment, _, _ = _VNET_HEAD.unpack_from(packet)
    total = len(packet) - _VNET_HEAD.size
    segments = -(-(total - heads) // segment) if gso and segment else 1
    return total + int(heads) * (segments - 1)


def carry(source: int, target: int, way: Way) -> None:
    """Carry packets one way in two threads, until the devices go."""

    def read() -> None:
        with suppress(OSError):
            while True:
                way.take(os.read(source, _MOST), time.monotonic())

    def write() -> None:
        while True:
            packet = way.give()
            with suppress(OSError):  # the host is not up yet, or no more: lost
                os.write(target, packet)

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()


@contextmanager
def hosts(names: tuple[str, str], *, whole: bool) -> Iterator[tuple[int, int]]:
    """Two namespaces of these names; yields our ends of their lines.

    Args:
        names: of the namespaces, and of their devices.
        whole: whether segments come uncut.

    Raises:
        OSError: there is no TUN here, or we may not use it.
        subprocess.CalledProcessError: ``ip`` refuses.
    """
    ends = []
    try:
        for number, name in enumerate(names, 1):
            end = os.open(_TUN, os.O_RDWR)
            ends.append(end)
            wanted = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
            fcntl.ioctl(end, _TUNSETIFF, wanted)
            fcntl.ioctl(end, _TUNSETOFFLOAD, _TUN_F_CSUM | (_TUN_F_TSO4 if whole else 0))
            _ip("netns", "add", name)
            _ip("link", "set", name, "netns", name)
            _ip("-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", name)
            _ip("-n", name, "link", "set", name, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield ends[0], ends[1]
    finally:
        for name in names:
            _take_down(name)
        for end in ends:
            os.close(end)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def _take_down(name: str) -> None:
    """A host goes, and whatever still runs on it."""
    with suppress(subprocess.CalledProcessError):
        for pid in _ip("netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", name)


def main() -> None:
    """Be the link until standard input closes."""
    bits_per_s, delay_s, loss = map(float, sys.argv[1:4])
    chance = random.Random(int(sys.argv[4]))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    names = (f"cs{os.getpid()}a", f"cs{os.getpid()}b")
    try:
        with hosts(names, whole=loss == 0) as (a, b):
            for source, target in ((a, b), (b, a)):
                carry(source, target, Way(bits_per_s, delay_s, loss, chance))
            print(json.dumps({"hosts": names}), flush=True)
            sys.stdin.read()
    except (OSError, subprocess.CalledProcessError) as e:
        why = e.stderr.strip() if isinstance(e, subprocess.CalledProcessError) else e.strerror
        print(json.dumps({"refused": why}), flush=True)


if __name__ == "__main__":
    main()
