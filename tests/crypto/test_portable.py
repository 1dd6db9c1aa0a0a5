"""The path that other processors take, on this one: the protocols under ``COSIGHT_KERNEL=portable``.

The variable is read once, so they run in a process of their own. ``cargo test`` compares single functions.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crypto import _native

ROOT = Path(__file__).parents[2]
VARIABLE = "COSIGHT_KERNEL"
PORTABLE = dict.fromkeys(("curve25519", "field", "group", "lpn", "prg"), "portable")
PSI = ["tests/crypto/psi"]  # with the stored transcripts, which are the same bytes on every path
# Of the lies only those that the kernel sees: those about lengths are refused before.
LIES = ["tests/hostile/test_messages.py::test_other_content_never_invents_a_match"]
PARTS = [
    "tests/crypto/secagg/test_discovery.py",
    "tests/crypto/secagg/test_ring.py",
    "tests/crypto/secagg/test_shamir.py",
    "tests/crypto/secagg/test_threshold.py",
    "tests/crypto/test_curve25519.py",
    "tests/crypto/test_elgamal.py",
    "tests/crypto/test_group.py",
    "tests/crypto/test_okvs.py",
    "tests/crypto/test_oprf.py",
    "tests/crypto/test_ot.py",
    "tests/crypto/test_vole.py",
]


def python(*arguments: str, kernel: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environ | {VARIABLE: kernel},
        capture_output=True,
        text=True,
        check=False,
    )


def test_this_process_takes_the_path_it_was_told() -> None:
    """Run by the suites below, too: it is what says that they ran on the portable path."""
    backends = _native.kernel_backends()
    assert backends.keys() == PORTABLE.keys()
    assert backends["group"] == _native.group_backend()
    if os.environ.get(VARIABLE):
        assert backends == PORTABLE


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has other paths")
@pytest.mark.parametrize(
    ("flag", "name"), [("avx2", "group"), ("avx2", "curve25519"), ("pclmulqdq", "lpn"), ("aes", "prg")]
)
def test_without_the_variable_the_kernel_takes_what_the_processor_has(flag: str, name: str) -> None:
    flags = re.search(r"^flags\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    assert flags
    shown = python("-c", f"from crypto import _native; print(_native.kernel_backends()[{name!r}])", kernel="")
    assert shown.returncode == 0, shown.stderr
    assert (shown.stdout.strip() == "portable") is (flag not in flags[1].split())


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("suites", "least"), [(PSI, 500), (LIES, 500), (PARTS, 300)], ids=["psi", "lies", "parts"]
)
def test_the_suites_of_the_protocols_pass_on_the_portable_path(suites: list[str], least: int) -> None:
    told = f"{Path(__file__).relative_to(ROOT)}::{test_this_process_takes_the_path_it_was_told.__name__}"
    options = ("-q", "-p", "no:cacheprovider")
    done = python("-m", "pytest", *options, told, *suites, kernel="portable")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) > least


@pytest.mark.parametrize("value", ["avx2", "Portable", "portable ", "0", "\udcff"])
def test_a_value_that_is_not_known_is_refused_at_import(value: str) -> None:
    done = python("-c", "import crypto.oprf", kernel=value)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: {VARIABLE} ")
