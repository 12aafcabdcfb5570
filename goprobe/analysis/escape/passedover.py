"""Promises that nobody looks at: those of other packages of the same module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from goprobe.analysis.escape.promises import ALLOW, promises_in
from goprobe.errors import UsageError
from goprobe.files import read_regular
from goprobe.model.escape import PassedOver
from goprobe.toolchain.escapebuild import GoPackage
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.golist import files_of_build
from goprobe.toolchain.modulefiles import go_files, module_of

_FILE, _ALL = 4 << 20, 256 << 20  # bytes that are read


def promises_passed_over(
    packages: Sequence[GoPackage], cwd: Path, go: GoTool, flags: Sequence[str]
) -> PassedOver:
    """Of the modules in which `packages` are, told by their folders as seen from `cwd`; those of
    the files that a build with these flags has."""
    own = [p for p in packages if not p.standard]
    modules = {m for p in own if (m := module_of(p.directory))}
    looked_at = {p.directory for p in own}
    counts: dict[Path, int] = {}
    left = _ALL
    for file in go_files(modules):
        if file.parent in looked_at or left <= 0:
            continue
        try:
            data = read_regular(file, _FILE)
        except UsageError:
            continue
        left -= len(data)
        if b"//goprobe:" not in data:
            continue
        text = data.decode(errors="replace")
        made = sum(p.word != ALLOW or bool(p.problem) for p in promises_in(str(file), text))
        if made:
            counts[file] = made
    if counts:
        built = files_of_build(dict.fromkeys(file.parent for file in counts), go, flags)
        counts = {
            file: made
            for file, made in counts.items()
            if file.parent.resolve() / file.name in built
        }
    folders = dict.fromkeys(_seen_from(cwd, file.parent) for file in counts)
    return PassedOver(sum(counts.values()), tuple(folders))


def _seen_from(cwd: Path, folder: Path) -> str:
    """As one names it to Go there."""
    path = os.path.relpath(folder, cwd.absolute())
    return path if path.startswith(".") else f"./{path}"
