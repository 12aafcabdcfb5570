"""Turns a TARGET (a .go file, a package, an executable) into an executable to look at."""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from goprobe.cachefolder import unnamed_file
from goprobe.errors import BuildError, CannotWorkError, GoprobeError, UsageError
from goprobe.toolchain.built import Built, is_executable_file, prebuilt
from goprobe.toolchain.cache import build_folder, locked
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.scratch import run_tidily

UNOPTIMIZED = "all=-N -l"
"""The -gcflags that turn optimiser and inliner off, the standard library's too."""

Progress = Callable[[str], None]

MADE = ".made"
# Of Go's own runtime (malloc.go, mem_linux.go, mpagealloc_64bit.go, os_linux.go), and of who starts
# the compiler.
_NO_MEMORY = re.compile(
    r"^(?:fatal error: (?:runtime: )?(?:out of memory|cannot allocate .*|failed to reserve .*memory"
    r"|newosproc)|.*: (?:signal: killed|cannot allocate memory))$",
    re.MULTILINE,
)
_TOO_OLD = re.compile(r"requires go >= (\S+)")
_NO_VCS = b"error obtaining VCS status"  # cmd/go/internal/load/pkg.go
_MAX_OUTPUT = 1 << 20


class _Source(msgspec.Struct, frozen=True):
    """A main package: what to hand to `go build`, and in which folder."""

    argument: str
    cwd: Path
    name: str
    directory: Path
    package: str


class _Listed(msgspec.Struct):
    """What is used of `go list -json`."""

    Dir: str = ""
    ImportPath: str = ""
    Name: str = ""
    Error: dict[str, Any] | None = None


def build(
    target: str,
    go: GoTool,
    *,
    optimized: bool = False,
    out_dir: Path | None = None,
    flags: Sequence[str] = (),
    cwd: Path | None = None,
    progress: Progress | None = None,
) -> Built:
    """Build TARGET, as its module, workspace and GOFLAGS say; a compiled one is taken as it is.

    `flags` go to `go build` unchanged ("-race"). The executable lies in `out_dir`, else at a
    place of the user's cache that is the same each time. `progress` is told what takes long, and
    "" when it is over. Raises UsageError (no such file, no Go in it, not a main package) and
    BuildError, which carries the compiler's lines.
    """
    if is_executable_file(target):
        return prebuilt(target)
    environment = go_environment()
    source = _source(target, go, (cwd or Path.cwd()).absolute(), environment)
    gcflags = () if optimized else (f"-gcflags={UNOPTIMIZED}",)
    options = (*gcflags, *flags)
    folder = out_dir or build_folder(_key(source, go, options))
    binary, made = folder / source.name, folder / MADE / source.name
    command = (str(go.path), "build", *options, "-o", str(made), source.argument)
    with saying(f"building {target} with Go {go.version}", progress), locked(folder):
        _run_build(command, target, source, environment)
        publish(made, binary)
    return Built(binary, command, UNOPTIMIZED if gcflags else "", source.directory, source.package)


@contextmanager
def saying(text: str, progress: Progress | None) -> Iterator[None]:
    """What is going on, until it is over."""
    if progress:
        progress(text)
    try:
        yield
    finally:
        if progress:
            progress("")


def is_same(one: Path, other: Path) -> bool:
    """Whether two files are there, and hold the same bytes."""
    with suppress(FileNotFoundError):
        return filecmp.cmp(one, other, shallow=False)
    return False


def publish(made: Path, binary: Path) -> None:
    """Put what was built in its place at once: others may be reading what lies there."""
    built = made.stat()
    with suppress(FileNotFoundError):
        known = binary.stat()
        if (known.st_mtime_ns, known.st_size) == (built.st_mtime_ns, built.st_size):
            return
    fresh = binary.with_name(f".{binary.name}.{os.getpid()}")
    shutil.copy2(made, fresh)
    fresh.replace(binary)


def _key(source: _Source, go: GoTool, options: Sequence[str]) -> str:
    parts = (source.argument, str(source.cwd), str(go.path), go.version, *options)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _source(target: str, go: GoTool, cwd: Path, environment: dict[str, str]) -> _Source:
    if not target:
        raise UsageError("no target: name a .go file, a Go package or a compiled Go program")
    path = cwd / target
    if path.is_dir():
        if not any(path.glob("*.go")):
            raise UsageError(f"{target} holds no Go files")
        listed = _list(go, ".", path, target, environment, exists=True)
        return _main(listed, ".", path, path.resolve().name, target)
    if path.is_file():
        if path.suffix != ".go":
            raise UsageError(
                f"{target} is neither a Go file nor a package nor a compiled Go program"
            )
        listed = _list(go, path.name, path.parent, target, environment, exists=True)
        return _main(listed, path.name, path.parent, path.stem, target)
    if path.exists():
        raise UsageError(f"{target} is not a regular file")
    if _looks_like_a_path(target):
        raise UsageError(f"{target}: no such file or directory")
    listed = _list(go, target, cwd, target, environment, exists=False)
    return _main(listed, target, cwd, target.rstrip("/").split("/")[-1], target)


def _looks_like_a_path(target: str) -> bool:
    return target.startswith(("/", ".", "~", "-")) or target.endswith(".go") or not target


def _main(listed: _Listed, argument: str, cwd: Path, name: str, target: str) -> _Source:
    if listed.Name and listed.Name != "main":
        raise UsageError(
            f"{target} is not a program: its package is {listed.Name}, not main",
            hint="name a package main that uses it",
        )
    directory = Path(listed.Dir) if listed.Dir else cwd
    return _Source(argument, cwd.absolute(), name or "main", directory, listed.ImportPath)


def _list(
    go: GoTool, argument: str, cwd: Path, target: str, environment: dict[str, str], *, exists: bool
) -> _Listed:
    """What Go knows of the package; an error in it is left to the build, which tells it better."""
    command = (str(go.path), "list", "-e", "-find", "-json=Name,Dir,ImportPath,Error", argument)
    code, output, complaints = run_go(command, cwd, environment)
    try:
        listed = msgspec.json.decode(output, type=_Listed)
    except msgspec.DecodeError:
        if code == 0:  # nothing, or more than one package, matched
            raise UsageError(f"{target} does not name one Go package") from None
        raise build_error(target, complaints) from None
    if listed.Error and not listed.Name:
        raise _no_package(target, str(listed.Error.get("Err", "")), exists=exists)
    return listed


def _no_package(target: str, why: str, *, exists: bool) -> GoprobeError:
    if "build constraints exclude all Go files" in why or "no non-test Go files" in why:
        return UsageError(f"{target} holds no Go program for this machine: {why}")
    if not exists:
        return BuildError(f"{target} is neither a file nor a Go package known here", output=why)
    return build_error(target, why)


def build_error(target: str, output: str) -> GoprobeError:
    """The error for what Go printed, with what mends it where that is known."""
    if short := _NO_MEMORY.search(output):
        return CannotWorkError(
            f"Go found no memory to build {target} with: {short[0]}",
            hint="what this shell (ulimit -v), its memory cgroup or the machine has is too little",
        )
    if match := _TOO_OLD.search(output):
        return BuildError(
            f"{target} needs Go {match[1]} or newer",
            output=output,
            hint="pass --go PATH of a newer Go, or set GOTOOLCHAIN=auto to let Go fetch it",
        )
    hint = ""
    if "go.mod file not found" in output:
        hint = "it belongs to no module: name its .go file, or run `go mod init` there"
    return BuildError(f"{target} does not build", output=output, hint=hint)


def _run_build(
    command: Sequence[str], target: str, source: _Source, environment: dict[str, str]
) -> None:
    code, _, complaints = run_build(command, source.cwd, environment)
    if code != 0:
        raise build_error(target, complaints)


def run_build(
    command: Sequence[str],
    cwd: Path,
    environment: dict[str, str],
    max_output: int = _MAX_OUTPUT,
) -> tuple[int, bytes, str]:
    """As `run_go`, of a build."""
    code, output, complaints = run_telling_build(command, cwd, environment, max_output)
    return code, output, complaints.decode(errors="replace")


def run_telling_build(
    command: Sequence[str], cwd: Path, environment: dict[str, str], max_output: int
) -> tuple[int, bytes, bytes]:
    """As `run_go`, of a build that has so much to say that it is better left as it is: as text it
    is four times as large where there is one character in it that is rare.

    Go asks git for the state of the source only to write it into the binary, and git does not
    answer to another user than the source's owner: then without."""
    result = _run(command, cwd, environment, max_output)
    if result[0] and _NO_VCS in result[2]:
        go, verb, *rest = command
        return _run((go, verb, "-buildvcs=false", *rest), cwd, environment, max_output)
    return result


def run_go(
    command: Sequence[str],
    cwd: Path,
    environment: dict[str, str],
    max_output: int = _MAX_OUTPUT,
) -> tuple[int, bytes, str]:
    """Exit code, output and complaints of a command, each as far as `max_output` bytes.

    Raises UsageError where it cannot be run at all.
    """
    code, output, complaints = _run(command, cwd, environment, max_output)
    return code, output, complaints.decode(errors="replace")


def _run(
    command: Sequence[str], cwd: Path, environment: dict[str, str], max_output: int
) -> tuple[int, bytes, bytes]:
    # Files instead of pipes: they are read only as far as anybody wants to hold in memory.
    with unnamed_file() as output, unnamed_file() as complaints:
        try:
            code = run_tidily(command, cwd=cwd, env=environment, stdout=output, stderr=complaints)
        except OSError as error:
            raise UsageError(f"cannot run {command[0]} in {cwd}: {error.strerror}") from None
        return code, _told(output, max_output), _told(complaints, max_output)


def _told(file: IO[bytes], most: int) -> bytes:
    """What a command wrote, as far as `most` bytes; room is taken for no more than there is."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return file.read(min(size, most))
