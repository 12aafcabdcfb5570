"""What Go makes of packages to be looked at: binaries, and beside each what the compiler said.

Each build has its own folder, the same each time; what Go links lies in MADE in it, and is
published from there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from goprobe.files import open_regular, read_regular
from goprobe.toolchain.build import MADE, is_same, publish, run_telling_build
from goprobe.toolchain.cache import build_folder, locked
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.find import GoTool

MAX_DIAGNOSTICS = 1 << 29  # bytes
_HEAD = re.compile(rb"\n# (\S+)(?: \[(\S+)\])?$", re.M)


def folder_of(
    kind: str, arguments: Sequence[str], cwd: Path, go: GoTool, options: Sequence[str]
) -> Path:
    """Where a build is kept: each time the same. What Go makes is made in MADE in it."""
    key = "\0".join((kind, *arguments, str(cwd), str(go.path), go.version, *options))
    folder = build_folder(hashlib.sha256(key.encode()).hexdigest()[:16])
    (folder / MADE).mkdir(exist_ok=True)
    return folder


class Compiled(msgspec.Struct, frozen=True):
    """Go's exit code, what the compiler said, and when all binaries were made, 0 where not all
    were."""

    code: int
    said: bytes
    built: float


def compiled(
    command: Sequence[str], cwd: Path, folder: Path, names: Sequence[str], packages: Sequence[str]
) -> Compiled:
    """Has Go make the binaries of these names, which then lie in `folder`, and the compiler speak
    of these packages, named by their import paths.

    What it made last time stays where Go makes it: it knows by the build id whether that is what it
    would link once more, and then only sets its time (useCache and BuildInstallFunc of
    cmd/go/internal/work, Go 1.21 to 1.27). Of a binary that was cut short on its way the id tells
    nothing, so only what equals the one that was published stays. What the compiler said of it Go
    then says again out of its cache, if it is there ("best effort", useCache): another GOCACHE, or
    one that was cleaned, has it not, and the binary is made anew.
    """
    made = [folder / MADE / name for name in names]
    with locked(folder):
        for binary in made:
            if is_same(binary, folder / binary.name):
                os.utime(binary, (0, 0))
            else:
                binary.unlink(missing_ok=True)
        stayed = any(binary.exists() for binary in made)
        code, _, said = run_telling_build(command, cwd, build_environment(), MAX_DIAGNOSTICS)
        if stayed and not code and not spoken_of(said).issuperset(packages):
            for binary in made:
                binary.unlink(missing_ok=True)
            code, _, said = run_telling_build(command, cwd, build_environment(), MAX_DIAGNOSTICS)
        times = [binary.stat().st_mtime if binary.exists() else 0.0 for binary in made]
        built = min(times)
        for binary in made if built else ():
            if not is_same(binary, folder / binary.name):
                publish(binary, folder / binary.name)
    return Compiled(code, said, built)


def spoken_of(said: bytes) -> set[str]:
    """The packages of which the compiler's words are there, also as they are for a test."""
    return {package for _, package, _ in heads(said)}


def heads(said: bytes) -> list[tuple[int, str, str]]:
    """Where Go says of which package the compiler's next words are, and of which test's, "" for
    none."""
    # An expression that begins with fixed text is looked for many times as fast as one with "^".
    of = ((h.start(), h[1], h[2] or b"") for h in _HEAD.finditer(b"\n" + said))
    return [(at, p.decode(errors="replace"), t.decode(errors="replace")) for at, p, t in of]


def keep_said(binary: Path, said: bytes) -> None:
    """Lay what the compiler said of a binary beside it."""
    fresh = _beside(binary).with_name(f".{binary.name}.said.{os.getpid()}")
    fresh.write_bytes(said)
    fresh.replace(_beside(binary))


def said_of(binary: Path) -> bytes:
    """What the compiler said of a binary."""
    return read_regular(_beside(binary), MAX_DIAGNOSTICS)


def said_size(binary: Path) -> int:
    """How many bytes that is, 0 where it is not there."""
    beside = _beside(binary)
    return beside.stat().st_size if beside.exists() else 0


def said_by_lines(binary: Path) -> Iterator[bytes]:
    """The same, line by line: of many packages it takes more room than all that is made of it."""
    with open(open_regular(_beside(binary)), "rb") as file:
        yield from file


def _beside(binary: Path) -> Path:
    return binary.with_name(f"{binary.name}.said")


def build_environment() -> dict[str, str]:
    environment = go_environment()
    # Go shortens paths against $PWD, which is not the folder that we start it in.
    environment.pop("PWD", None)
    return environment
