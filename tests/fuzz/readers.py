"""Feeds one reader with mutated bytes for a while: ``python -m tests.fuzz.readers FORMAT SECONDS``.

Whatever comes in, a reader ends or raises ``InputError``; anything else stops the run.
"""

import resource
import sys
import tempfile
from itertools import chain
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["exchange.indicators"]):
    from exchange.errors import InputError
    from exchange.indicators.readers import read
    from exchange.indicators.readers.base import Options

from tests.fuzz.seeds import SEEDS

_MAX_BYTES = 8192
_MAX_MEMORY = 1 << 30
_EVERYTHING = Options(every_attribute=True, url_hosts=True)


def main(format_: str, seconds: int) -> None:
    """Fuzz the reader of a format (``auto`` for the detection) until the time is over."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for i, seed in enumerate(SEEDS.get(format_) or chain.from_iterable(SEEDS.values())):
            (corpus / str(i)).write_bytes(seed)
        path = Path(folder, "input")

        def one(data: bytes) -> None:
            path.write_bytes(data)
            try:
                for batch in read(path, format=format_, options=_EVERYTHING):
                    found = sum(map(len, batch.values.values())) - batch.derived
                    if len(batch) != found + batch.refused.total():
                        raise AssertionError("values got lost")
            except InputError as e:
                if "\n" in str(e) or len(str(e)) > 600:
                    raise AssertionError("an error that quotes its input") from e

        arguments = [sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-max_len={_MAX_BYTES}"]
        # What libFuzzer takes for our peak of memory is that of whoever started us, if it had more.
        resource.setrlimit(resource.RLIMIT_DATA, (_MAX_MEMORY, _MAX_MEMORY))
        arguments += ["-timeout=60", "-rss_limit_mb=0", f"-artifact_prefix={folder}/", "-verbosity=0"]
        atheris.Setup(arguments, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
