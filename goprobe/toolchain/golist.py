"""Packages and their files as Go lists them (`go list -e -json`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from goprobe.errors import UsageError
from goprobe.toolchain.build import build_error, run_go
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.modulefiles import module_of

_MAX_LISTED = 1 << 26


class _PackageError(msgspec.Struct):
    Err: str = ""


class Listed(msgspec.Struct, kw_only=True):
    """What is used of `go list -json`."""

    Dir: str = ""
    ImportPath: str = ""
    Name: str = ""
    Standard: bool = False
    GoFiles: list[str] = []
    CgoFiles: list[str] = []
    TestGoFiles: list[str] = []
    XTestGoFiles: list[str] = []
    Error: _PackageError | None = None

    @property
    def files(self) -> list[str]:
        return [*self.GoFiles, *self.CgoFiles]

    @property
    def of_tests(self) -> list[str]:
        return [*self.files, *self.TestGoFiles, *self.XTestGoFiles]


_FIELDS = "-json=Dir,ImportPath,Name,Standard,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Error"


def list_packages(
    go: GoTool, arguments: Sequence[str], cwd: Path, flags: Sequence[str], target: str
) -> list[Listed]:
    """What Go says of a target's packages. Raises UsageError and BuildError."""
    try:
        listed, code, complaints = _asked(go, arguments, cwd, flags)
    except _UnreadableError as error:
        raise build_error(target, str(error)) from None
    if code != 0 or not listed:
        raise (
            build_error(target, complaints)
            if complaints.strip()
            else UsageError(f"{target} names no Go package")
        )
    for package in listed:
        _raise_if_unusable(package, target, complaints)
    return listed


def _raise_if_unusable(package: Listed, target: str, complaints: str) -> None:
    """An error that leaves no package to build; others are told better by the build itself."""
    why = package.Error.Err if package.Error else ""
    if package.of_tests:
        return
    if "no Go files" in why or "build constraints exclude all" in why or not why:
        raise UsageError(f"{target} holds no Go files for this machine", hint=why)
    raise build_error(target, why or complaints)


def _build_flags(flags: Sequence[str]) -> list[str]:
    """Those of the build's flags that decide which files belong to it."""
    return [flag for flag in flags if flag.startswith(("-tags", "-mod", "-modfile", "-overlay"))]


def files_of_build(folders: Iterable[Path], go: GoTool, flags: Sequence[str]) -> frozenset[Path]:
    """The Go files of packages that builds of this machine and with these flags have, those of
    tests among them, in folders without links: `folders` are asked about together, module by
    module. Where Go does not tell, all that there are."""
    modules: dict[Path | None, list[Path]] = {}
    for folder in folders:
        modules.setdefault(module_of(folder), []).append(folder)
    files: set[Path] = set()
    for module, inside in modules.items():
        cwd = module or inside[0]
        arguments = [f"./{os.path.relpath(folder, cwd)}" for folder in inside]
        try:
            listed, _, _ = _asked(go, arguments, cwd, flags)
        except _UnreadableError:
            listed = []
        files.update(Path(p.Dir or cwd).resolve() / n for p in listed for n in p.of_tests)
        if not listed:
            files.update(file for folder in inside for file in folder.resolve().glob("*.go"))
    return frozenset(files)


class _UnreadableError(Exception):
    """Go's answer is none; the text is what it complained of."""


def _asked(
    go: GoTool, arguments: Sequence[str], cwd: Path, flags: Sequence[str]
) -> tuple[list[Listed], int, str]:
    """Packages, Go's exit code, and its complaints."""
    command = (str(go.path), "list", "-e", _FIELDS, *_build_flags(flags), *arguments)
    code, output, complaints = run_go(command, cwd, go_environment(), _MAX_LISTED)
    texts = output.decode(errors="replace").replace("}\n{", "}\0{").split("\0")
    try:
        listed = [msgspec.json.decode(text, type=Listed) for text in texts if text.strip()]
    except msgspec.DecodeError:
        raise _UnreadableError(complaints) from None
    return listed, code, complaints
