"""Files of goprobe are small enough to be read at one sitting: none over MOST lines."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

MOST = 400
MEDIAN = 120
ROOT = Path(__file__).resolve().parents[2] / "goprobe"


def main() -> int:
    sizes = {f: f.read_text().count("\n") for f in sorted(ROOT.rglob("*.py"))}
    middle = median(size for size in sizes.values() if size)
    long = {file: size for file, size in sizes.items() if size > MOST}
    for file, size in long.items():
        print(f"{file.relative_to(ROOT.parent)}: {size} lines, and {MOST} is the limit")
    if middle > MEDIAN:
        print(f"half of the files have more than {middle:g} lines, and {MEDIAN} is the limit")
    return int(bool(long) or middle > MEDIAN)


if __name__ == "__main__":
    sys.exit(main())
