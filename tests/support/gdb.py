"""Every GDB there is, for tests: the one on PATH and those of the toolchains folder."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from goprobe.toolchain.find import GdbTool, gdb_at

_IN_FOLDER = "gdb-*/gdb_for_pwndbg/_vendor/bin/gdb"


@cache
def gdbs() -> list[GdbTool]:
    """One of each version, oldest first. Fails loudly where there is none."""
    folder = os.environ.get("GOPROBE_TOOLCHAINS") or Path("~/.cache/goprobe/toolchains")
    paths = sorted(Path(folder).expanduser().glob(_IN_FOLDER))
    if on_path := shutil.which("gdb"):
        paths.append(Path(on_path))
    found = {tool.version: tool for tool in (gdb_at(path, "tests") for path in paths)}
    assert found, "no GDB for the tests: put it on PATH or run scripts/install-toolchains"
    return [found[version] for version in sorted(found, key=_numbers)]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
