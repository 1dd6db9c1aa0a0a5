"""Sets from the lines of a file, against Python's own reading of it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crypto.hashing import item_rows
from exchange.errors import InputError
from exchange.local.lines import KIND, Lines

PIECES = st.sampled_from(["a", "b", "aa", "", "\n", "\r\n", "\r", " ", "é", "\u2028", "\x00", "\ufeff"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
@example("")
@example("\n")
@example("a\na\n\nb")
def test_lines_are_what_python_reads(tmp_path, text):
    path = tmp_path / "file"
    path.write_bytes(text.encode())
    want = list(dict.fromkeys(line for line in path.read_text(encoding="utf-8").split("\n") if line))
    found = Lines.read(path)
    assert np.array_equal(found.rows, item_rows(KIND, want))
    assert found.text(found.ids).decode() == "".join(f"{line}\n" for line in want)
    assert found.text(found.ids[1::2]).decode() == "".join(f"{line}\n" for line in want[1::2])


def test_what_is_not_utf_8_is_said_with_its_place(tmp_path):
    (tmp_path / "file").write_bytes(b"abc\n\xff")
    with pytest.raises(InputError, match="not UTF-8 after 4 bytes"):
        Lines.read(tmp_path / "file")
