"""``python -m exchange`` is ``cosight``."""

from exchange.cli import main

main()
