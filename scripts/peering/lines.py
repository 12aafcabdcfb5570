"""Test binaries of packages, and random lines of theirs that have code."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from goprobe.errors import BuildError
from tests.support.go import toolchain

BUILDS = {"debug": ("-gcflags=-N -l",), "optimised": ()}
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Tests:
    """A package's tests as one binary, and the folder in which they run."""

    binary: Path
    folder: Path
    package: str


def built(package: str, go: str, flags: Sequence[str], into: Path, here: str = "/") -> Tests:
    """The package is named as in the folder `here`. Raises BuildError."""
    program = toolchain(go)
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
    binary = into / "tests"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments],
            env=env,
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            raise BuildError(f"{package}: {done.stderr.strip().splitlines()[-1]}")
        return done.stdout.strip()

    folder = Path(run("list", "-f", "{{.Dir}}", package))
    run("test", "-c", *flags, "-o", str(binary), package)
    if not binary.exists():
        raise BuildError(f"{package} has no tests")
    return Tests(binary, folder, package)


def chosen(tests: Tests, most: int, dice: random.Random) -> list[str]:
    """WHEREs of the package's own code, tests' code not among them, as readelf would list it."""
    with tests.binary.open("rb") as file:
        lines = sorted(_lines(ELFFile(file).get_dwarf_info(), tests))
    return [f"{file}:{line}" for file, line in dice.sample(lines, min(most, len(lines)))]


def _lines(dwarf: Any, tests: Tests) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for unit in dwarf.iter_CUs():
        name = unit.get_top_DIE().attributes.get("DW_AT_name")
        if name is None or name.value.decode() != tests.package:
            continue
        program = dwarf.line_program_for_CU(unit)
        first = 0 if program["version"] >= 5 else 1  # the number of the first file and folder
        folders = [each.decode() for each in program["include_directory"]]
        if first:
            folders.insert(0, "")
        files = [
            str(Path(folders[entry.dir_index], entry.name.decode()))
            for entry in program["file_entry"]
        ]
        found.update(_statements(program.get_entries(), files, first, tests.folder))
    return found


def _statements(
    entries: Sequence[Any], files: Sequence[str], first: int, folder: Path
) -> set[tuple[str, int]]:
    found = set()
    for state in (entry.state for entry in entries if entry.state is not None):
        if state.end_sequence or not state.is_stmt or not state.line:
            continue
        file = files[state.file - first]
        if Path(file).parent == folder and not file.endswith("_test.go"):
            found.add((file, state.line))
    return found
