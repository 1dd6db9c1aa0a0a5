"""Make the stored transcript of an aggregation: ``python -m tests.vectors.masking``.

It pins the protocol: change it only together with the protocol's version.
"""

import json
from pathlib import Path
from typing import Any

from crypto.secagg.base import Step
from tests.crypto.psi.parties import content
from tests.crypto.secagg.alliance import run, setup

PATH = Path(__file__).with_name("secagg_masking.json")


def transcript() -> dict[str, Any]:
    """Four members, of which one drops out before its vector is there."""
    alliance = run(setup(4), drops={2: Step.MASKING})
    outcome = alliance.coordinator.outcome
    return {
        "inputs": [vector.tolist() for vector in alliance.inputs],
        "survivors": list(outcome.survivors),
        "sum": outcome.vector.tolist(),
        "digest": outcome.digest.hex(),
        "transcript": [{"member": i} | content(message) for i, message in alliance.wire],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(transcript(), indent=1) + "\n")
    print(PATH.name)  # noqa: T201
