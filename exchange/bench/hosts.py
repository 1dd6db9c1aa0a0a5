"""Where two parties run: both on loopback, or each on a host of its own with a link between them."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exchange.bench.links import LOOPBACK, Link
from exchange.bench.shaper import NETWORK, SIDES
from exchange.errors import ConfigError

SHAPER = (sys.executable, "-m", "exchange.bench.shaper")
_BULK_S = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Two places to run at, and what lies between them.

    Attributes:
        link: what was asked for.
        hosts: the namespaces of either side; none on loopback.
    """

    link: Link
    hosts: tuple[str, ...] = ()

    def at(self, side: str, *words: str) -> list[str]:
        """A command, to run at this side, ``a`` or ``b``."""
        inside = ("ip", "netns", "exec", self.hosts[SIDES.index(side)]) if self.hosts else ()
        return [*inside, *words]

    def address(self, side: str) -> str:
        """Where this side listens, without a port."""
        return f"{NETWORK}.{SIDES.index(side) + 1}" if self.hosts else "127.0.0.1"

    def carried(self) -> dict[str, int]:
        """Bytes that left either host so far, heads of IP and TCP included; empty on loopback."""
        return {
            side: json.loads(_ip(host))[0]["stats64"]["tx"]["bytes"]
            for side, host in zip(SIDES, self.hosts, strict=False)
        }

    def measured(self) -> dict[str, float]:
        """What the link does, measured.

        ``round_trip_s`` is that of a byte, the median of 20; ``bits_per_s`` that of what takes two seconds.
        """
        words = (sys.executable, "-m", "exchange.bench.echo")
        answering = subprocess.Popen(
            self.at("b", *words, "answer", self.address("b")), stdout=subprocess.PIPE, text=True
        )
        assert answering.stdout is not None
        try:
            port = answering.stdout.readline().strip()
            amount = str(int((self.link.bits_per_s or 8e9) / 8 * _BULK_S))
            asked = subprocess.run(
                self.at("a", *words, "ask", self.address("b"), port, amount),
                check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        finally:
            answering.kill()
            answering.wait()
        found = json.loads(asked.stdout)
        return {
            "round_trip_s": statistics.median(found["round_trips_s"]),
            "bits_per_s": 8 * int(amount) / found["bulk_s"],
        }


def _ip(host: str) -> str:
    """What ``ip`` says of a host's one device, which has its name."""
    words = ["ip", "-n", host, "-s", "-j", "link", "show", "dev", host]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@contextmanager
def place(link: Link, *, seed: int = 0) -> Iterator[Place]:
    """The two places of a link for as long as the context lasts.

    Args:
        link: between them.
        seed: of what is lost.

    Raises:
        ConfigError: this machine does not let us make hosts (``no-link``).
    """
    if link.name == LOOPBACK:
        yield Place(link)
        return
    numbers = [link.bits_per_s, link.round_trip_s / 2, link.loss, seed]
    with subprocess.Popen(
        [*SHAPER, *map(str, numbers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shaper:
        assert shaper.stdin is not None
        assert shaper.stdout is not None
        try:
            said = json.loads(shaper.stdout.readline() or '{"refused": "it ended at once"}')
            if "refused" in said:
                raise ConfigError(
                    f"this machine does not let us make a link: {said['refused']}",
                    code="no-link",
                    hint="that takes Linux, root, iproute2 and /dev/net/tun; loopback takes none of them",
                )
            yield Place(link, tuple(said["hosts"]))
        finally:
            shaper.stdin.close()
