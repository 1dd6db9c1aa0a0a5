"""Two hosts with a link between them: it does what was asked for, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.bench.hosts import place
from exchange.bench.links import LOOPBACK, NAMED, link_of
from exchange.errors import ConfigError
from tests.e2e.nodes import until

HOSTS = os.name == "posix" and os.geteuid() == 0 and Path("/dev/net/tun").exists()
needs_hosts = pytest.mark.skipif(not HOSTS, reason="making hosts takes Linux, root and /dev/net/tun")


def hosts() -> list[str]:
    """The namespaces that there are."""
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()


def test_loopback_takes_nothing_and_carries_bytes():
    with place(NAMED[LOOPBACK]) as at:
        assert at.at("a", "true") == ["true"]
        assert at.address("b") == "127.0.0.1"
        assert at.carried() == {}
        assert at.measured()["bits_per_s"] > 1e6


@needs_hosts
def test_a_link_takes_as_long_and_carries_as_much_as_it_should():
    with place(link_of("20mbit,30ms")) as at:
        before = at.carried()
        measured = at.measured()
        after = at.carried()
        assert measured["round_trip_s"] >= 0.03
        assert (
            2e6 < measured["bits_per_s"] <= 20e6
        )  # no more than the link; how much less is the machine's load
        assert after["a"] - before["a"] > 2 * 20e6 / 8  # two seconds of it, with the heads
        assert 0 < after["b"] - before["b"] < 1e6
    assert not set(at.hosts) & set(hosts())


@needs_hosts
def test_hosts_see_each_other_and_nothing_else():
    with place(link_of("100mbit,1ms")) as at:
        looked = subprocess.run(
            at.at("a", "ip", "-j", "route", "get", "192.0.2.1"), capture_output=True, text=True, check=False
        )
        assert looked.returncode != 0
        links = subprocess.run(at.at("a", "ip", "-j", "link"), capture_output=True, text=True, check=True)
        assert {link["ifname"] for link in json.loads(links.stdout)} == {"lo", at.hosts[0]}


@needs_hosts
def test_hosts_go_with_whoever_asked_for_them_however_that_ends():
    code = (
        "import sys, time\n"
        "from exchange.bench.hosts import place\n"
        "from exchange.bench.links import link_of\n"
        "with place(link_of('100mbit,1ms')) as at:\n"
        "    print(*at.hosts, flush=True)\n"
        "    time.sleep(600)\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    names = set(asking.stdout.readline().split())
    assert names <= set(hosts())
    left = subprocess.Popen(["ip", "netns", "exec", min(names), "sleep", "600"])
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    until(lambda: not names & set(hosts()), 60)
    assert left.wait(60) == -signal.SIGKILL


def test_a_machine_that_cannot_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("exchange.bench.hosts.SHAPER", (sys.executable, "-c", 'print(\'{"refused": "no"}\')'))
    with pytest.raises(ConfigError, match="no") as refused, place(link_of("100mbit,1ms")):
        pass
    assert refused.value.code == "no-link"
    assert "loopback" in refused.value.hint
