"""The Go files of the modules that packages belong to, found without asking Go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_MOST_FOLDERS = 20_000
# Folders that `./...` passes over (go help packages).
_SPECIAL = ("testdata", "vendor")


def module_of(folder: Path) -> Path | None:
    """The folder of the go.mod that a package's folder is below."""
    return next((at for at in (folder, *folder.parents) if (at / "go.mod").is_file()), None)


def go_files(modules: Iterable[Path]) -> Iterator[Path]:
    """Those of all packages of modules, folder by folder, in their order; of _MOST_FOLDERS
    folders at most."""
    open_, seen = sorted(modules, reverse=True), 0
    while open_ and seen < _MOST_FOLDERS:
        folder = open_.pop()
        seen += 1
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
            inner = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        yield from (folder / e.name for e in entries if e.name.endswith(".go") and e.is_file())
        below = (folder / n for n in reversed(inner) if n not in _SPECIAL and n[0] not in "._")
        open_ += [at for at in below if not (at / "go.mod").exists()]
