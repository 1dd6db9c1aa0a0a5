"""Flower's SecAgg+ on vectors, by its own functions: ``python flower.py MASKS WORDS``.

Runs in an environment of its own, which ``benchmarks.masking`` makes: the package pins other versions than we
do. Processor seconds of one call and the peak of memory, as one JSON line.
"""

import json
import secrets
import sys
import time
from pathlib import Path

import numpy as np
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen

MODULUS = 1 << 32
"""Its default."""


def masked(vector, seeds):  # noqa: ANN001, ANN201
    """The loop of ``secaggplus_mod.py``, where a client masks, and of ``secaggplus_workflow.py``."""
    arrays = [vector]
    shapes = [vector.shape]
    for index, seed in enumerate(seeds):
        mask = pseudo_rand_gen(seed, MODULUS, shapes)
        arrays = (parameters_subtraction if index % 2 else parameters_addition)(arrays, mask)
    return parameters_mod(arrays, MODULUS)


def main() -> None:
    """Measure and print."""
    masks, words = map(int, sys.argv[1:])
    vector = np.zeros(words, np.int64)
    seeds = [secrets.token_bytes(32) for _ in range(masks)]
    start = time.process_time()
    masked(vector, seeds)
    seconds = time.process_time() - start
    status = Path("/proc/self/status").read_text()  # ``ru_maxrss`` would be the parent's, if that was more
    peak_mib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
