"""Reports of `goprobe escape` for a session of tests: one for all that is asserted of it.

A report is made anew where a file of its modules, or the environment, is another than it was: what
ran may depend on either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from goprobe.api.escape import escape
from goprobe.model.escape import EscapeReport
from goprobe.toolchain.modulefiles import module_of

_MOST_FILES = 50_000
_OF_PYTEST = ("PYTEST_CURRENT_TEST",)  # another one in each test
_PASSED_OVER = ("__pycache__", "node_modules")
_LOCAL = re.compile(r"(?:=>|use|^)\s*(\.{1,2}(?:/[^\s()]*)?|/[^\s()]+)", re.M)

_State = tuple[object, ...]


class Reports:
    def __init__(self) -> None:
        self._made: dict[str, tuple[_State, EscapeReport]] = {}

    def of(self, targets: Sequence[str], options: Mapping[str, Any]) -> EscapeReport:
        """As `goprobe.escape`, and raises as it does."""
        cwd = Path(options.get("cwd") or Path.cwd()).absolute()
        asked = repr((cwd, targets, sorted(options.items())))
        state = _state(cwd, targets)
        known = self._made.get(asked)
        if known is not None and state and known[0] == state:
            return known[1]
        report = escape(*targets, **options)
        if not report.partial:
            self._made[asked] = state, report
        return report


def _state(cwd: Path, targets: Sequence[str]) -> _State:
    """What a report may depend on; () where that is too much to be looked at."""
    folders = {
        cwd,
        *(at for target in targets if (at := cwd / target.removesuffix("...")).is_dir()),
    }
    roots = {module_of(folder) or folder for folder in folders}
    roots |= {other for root in tuple(roots) for other in _local(root)}
    files: list[tuple[str, int, int]] = []
    for file in _files(roots):
        files.append(file)
        if len(files) > _MOST_FILES:
            return ()
    environment = {k: v for k, v in os.environ.items() if k not in _OF_PYTEST}
    return tuple(files), tuple(sorted(environment.items()))


def _local(root: Path) -> Iterator[Path]:
    """Folders of other modules that a module, or the workspace that it is in, takes as they are."""
    workspace = next((at for at in (root, *root.parents) if (at / "go.work").is_file()), None)
    for file in (root / "go.mod", *([workspace / "go.work"] if workspace else ())):
        if file.is_file():
            for path in _LOCAL.findall(file.read_text(errors="replace")):
                yield Path(os.path.normpath(file.parent / path))


def _files(roots: set[Path]) -> Iterator[tuple[str, int, int]]:
    """Each file's path, and its time and size."""
    for root in sorted(roots):
        for folder, inner, names in os.walk(root):
            inner[:] = sorted(n for n in inner if n[0] != "." and n not in _PASSED_OVER)
            for name in sorted(names):
                path = os.path.join(folder, name)  # noqa: PTH118 - of many files
                try:
                    about = os.stat(path)  # noqa: PTH116
                except OSError:
                    continue
                yield path, about.st_mtime_ns, about.st_size
