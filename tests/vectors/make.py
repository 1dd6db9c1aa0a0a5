"""Make the stored transcript of a protocol: ``python -m tests.vectors.make NAME``.

A transcript pins the protocol: change it only together with the protocol's version.
"""

import json
import sys
from pathlib import Path
from typing import Any

from crypto import session
from crypto.psi import DISCOVERED, Output
from crypto.session import Message
from tests.crypto.psi.parties import content, deterministic_rng, params, receiver_of, sender_of, shown

RECEIVER, SENDER, SIZES = [1, 2, 3, 4], [3, 4, 5], (5, 4)


def transcript(name: str, output: Output) -> dict[str, Any]:
    protocol = DISCOVERED[name]
    p = params(*SIZES, output)
    seen: list[Message] = []
    mine, its = session.run(
        receiver_of(protocol, RECEIVER, p, rng=deterministic_rng(b"vectorreceiver")),
        sender_of(protocol, SENDER, p, rng=deterministic_rng(b"vectorsender")),
        on_message=lambda m: (seen.append(m), m)[1],
    )
    return {
        "receiver": RECEIVER,
        "sender": SENDER,
        "sizes": SIZES,
        "transcript": [content(m) for m in seen],
        "receiver_matches": shown(mine),
        "sender_matches": shown(its),
    }


def main() -> None:
    name = sys.argv[1]
    vectors = {
        str(output): transcript(name, output) for output in Output if output in DISCOVERED[name].outputs
    }
    path = Path(__file__).with_name(f"psi_{name}.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")
    print(path.name)  # noqa: T201


if __name__ == "__main__":
    main()
