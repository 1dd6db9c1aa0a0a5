"""Flower's SecAgg+ on vectors, by its own functions: ``python flower.py '{"name": [masks, words]}'``.

Runs in an environment of its own, which ``benchmarks.masking`` makes: the package pins other versions than we
do. Processor seconds of one call for each name, as one JSON line.
"""

import json
import secrets
import sys
import time

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
    found = {}
    for name, (masks, words) in json.loads(sys.argv[1]).items():
        vector = np.zeros(words, np.int64)
        seeds = [secrets.token_bytes(32) for _ in range(masks)]
        start = time.process_time()
        masked(vector, seeds)
        found[name] = time.process_time() - start
    print(json.dumps(found))


if __name__ == "__main__":
    main()
