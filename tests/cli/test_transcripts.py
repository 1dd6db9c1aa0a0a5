"""The transcripts in the README and in the tutorial are what the commands print today."""

import pytest

from tests.architecture.tree import ROOT
from tests.cli.transcript import BLOCK, Stage, lasting, steps


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_a_page_shows_what_happens(page, tmp_path):
    written = [step for block in BLOCK.findall((ROOT / page).read_text()) for step in steps(block)]
    assert written
    with Stage(tmp_path) as stage:
        for step in written:
            assert lasting(stage.run(step)) == lasting(step.printed), step.command


def test_what_changes_from_run_to_run_is_all_that_is_forgiven():
    assert lasting("0.53 s, session 0123456789abcdef") == lasting("1.20 s, session fedcba9876543210")
    assert lasting("38 shared") != lasting("39 shared")
    assert lasting("10.0.0.1  x") != lasting("10.0.0.2  x")
    assert lasting("error (no-home) x") != lasting("error (config) x")
