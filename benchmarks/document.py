"""The tables of measurements in the pages, from what is committed; the text is written by hand.

python -m benchmarks.document [--check]
"""

import argparse
import re
import sys

from benchmarks.results import RESULTS, ROOT, blocks

PAGES = (ROOT / "docs" / "benchmarks.md", ROOT / "README.md")
_BLOCK = re.compile(r"(<!-- made: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, made: dict[str, str]) -> str:
    """The page with every part made anew; what was not measured says so."""

    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{made.get(found['name'], 'Not measured yet.')}\n{found[3]}"

    return _BLOCK.sub(part, page)


def main() -> None:
    """Write the page, or fail if it is not what the measurements give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    made = blocks(RESULTS)
    for page in PAGES:
        before = page.read_text()
        after = filled(before, made)
        if not args.check:
            page.write_text(after)
        elif before != after:
            sys.exit(f"{page.name} is not what benchmarks/results gives: python -m benchmarks.document")


if __name__ == "__main__":
    main()
