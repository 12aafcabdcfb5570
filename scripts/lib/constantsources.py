"""Numbers that are not ours say where they come from: Go's runtime, the kernel, an ABI, a standard.

Looked at is what files of the lower rooms set at their top to a number, or to several. A comment or
a docstring at it, or at the lines that it stands among, is enough, and so is a source in the file's
docstring. What only bounds our own work, or says how it is done, is ours: its name has a word of
OURS.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "goprobe"
ROOMS = ("arch", "binary", "process", "runtime", "target", "toolchain", "elfheaders.py")
OURS = re.compile(
    r"(^|_)(LIMIT|MOST|MAX|LEAST|FEWEST|LONGEST|PATIENCE|TIMEOUT|TICK|MOMENT|GRACE|PAUSE|FAREWELL"
    r"|TRIES|ATTEMPTS|ROUNDS|PROBES|LOOKS?|SPINS|YIELDS|STEPS?|DEPTH|CHUNK|BATCH|SAMPLES?|KEPT|TOLD"
    r"|SECONDS|ONCE|ASKED|READ|ROOM|RESERVE|RETRY|TURN|WINDOW|AFTER|AGAIN|MARKS"
    r"|WORD|BITS|BYTE|MASK|NONE|MISSING|ABSENT|LOST|ENTRY)(_|$)"
)
SOURCE = re.compile(
    r"\w\.(go|h|c|s|S|rst|txt)\b|\bman \w+|section \d|System V|psABI|ABI|DWARF|ELF|Intel|kernel"
)


def main() -> int:
    untold = [
        f"{file.relative_to(ROOT.parent)}:{line}: {name} does not say where its number comes from"
        for room in ROOMS
        for file in ([ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py")))
        for name, line in _untold(file.read_text())
    ]
    print(*untold, sep="\n", end="\n" if untold else "")
    return int(bool(untold))


def _untold(text: str) -> Iterator[tuple[str, int]]:
    tree, lines = ast.parse(text), text.split("\n")
    if SOURCE.search(ast.get_docstring(tree) or ""):
        return
    for node in tree.body:
        names = _names(node)
        end = node.end_lineno or node.lineno
        ours = all(OURS.search(name) for name in names)
        if not ours and not _is_told(lines, node.lineno - 1, end):
            yield ", ".join(names), node.lineno


def _names(node: ast.stmt) -> list[str]:
    """What a statement sets to numbers."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return []
    if not _is_number(value):
        return []
    return [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]


def _is_number(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=bool() | str() | bytes() | None):
            return False
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Tuple(elts=elements):
            return bool(elements) and all(_is_number(each) for each in elements)
    return False


def _is_told(lines: list[str], first: int, end: int) -> bool:
    """Whether a comment stands on the lines [first, end) or above the lines of code that they are
    among, or a docstring below those."""
    if any(" # " in line for line in lines[first:end]):
        return True
    while lines[first - 1].strip() and not lines[first - 1].startswith("#"):
        first -= 1
    while end < len(lines) and lines[end].strip() and not lines[end].startswith(('"""', "#")):
        end += 1
    return lines[first - 1].startswith("#") or lines[end].startswith('"""')


if __name__ == "__main__":
    sys.exit(main())
