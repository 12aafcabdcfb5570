"""One name for each source file, however the compiler, the linker and the user call it.

The compiler prints paths relative to the folder where Go ran, the binary holds absolute ones, or,
with -trimpath, the package's import path and the file's name; `//line` says what it likes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from goprobe.analysis.escape.promises import line_directives
from goprobe.binary.pcln.format import GENERATED
from goprobe.files import text_or_nothing
from goprobe.toolchain.diagnostics import Diagnostic
from goprobe.toolchain.escapebuild import EscapeBuild, GoPackage

_SOURCE_LIMIT = 64 << 20
_OUTSIDE = re.compile(r"^package \w+_test\b", re.MULTILINE)  # tests in a package of their own
_GENERATED = ("_testmain.go", "_cgo_gotypes.go", "_cgo_import.go", GENERATED)


class SourceNames:
    """The files of the packages looked at; canonical names are absolute paths."""

    def __init__(self, build: EscapeBuild, go_root: str) -> None:
        self._cwd = str(build.cwd)
        self._package = str(build.program.directory)
        self._files = {str(f) for p in build.packages for f in p.files}
        self._packages = {str(f): p for p in build.packages for f in p.files}
        self._folders = {str(p.directory) for p in build.packages}
        directives = list(_named_by_directives(self._files))
        self._renamed: dict[str, set[str]] = {}
        for file, name in directives:
            self._renamed.setdefault(name, set()).add(file)
        self._bare = _bare(directives)
        self._trimmed = _trimmed(build.packages, go_root)
        self._library = f"{go_root}/src/"
        # Asked of each file of each compilation unit, and of the frames of each call.
        self.canonical = cache(self._canonical)
        self.is_own = cache(self._is_own)
        self.is_standard = cache(self._is_standard)
        self.symbol_prefix = cache(self._symbol_prefix)
        self._by_package = {p.path: list(_told_of(p)) for p in build.packages}

    def _canonical(self, name: str) -> str:
        """The absolute path for a name as the compiler or the binary has it."""
        if name.startswith("/"):
            return os.path.normpath(name)
        if name == GENERATED:
            return name
        if name in self._trimmed:
            return self._trimmed[name]
        # Up to Go 1.26 what `//line` names is left as it stands, relative to its package.
        if name in self._bare:
            return self._bare[name]
        here = os.path.normpath(Path(self._cwd) / name)
        if name.startswith(".") or Path(here).exists() or not self._package:
            return here
        return os.path.normpath(f"{self._package}/{name}")

    def of_message(self, message: Diagnostic) -> str:
        """The absolute path of the file that a message of the compiler names.

        What Go's build cache repeats is relative to the folder of whoever built the package first
        (cmd/go/internal/work/shell.go, reportCmd, Go 1.27), which need not be ours: the message's
        package knows its file all the same.
        """
        package = message.package.split(" ")[0]
        tail = "/" + re.sub(r"^(?:\.{1,2}/)+", "", message.file).lstrip("/")
        for path in (package, package.removesuffix("_test")):
            for file in self._by_package.get(path, ()):
                if file.endswith(tail):
                    return file
        return self.canonical(message.file)

    def _symbol_prefix(self, file: str) -> str:
        """What the linker puts before the names of a file's functions, "" where that is not known:
        its package's import path, where dots of the last element are escaped (PathToPrefix,
        cmd/internal/objabi/path.go, Go 1.21 to 1.27)."""
        package = self._packages.get(file)
        if package is None:
            naming = {self._symbol_prefix(each) for each in self._renamed.get(file, ())}
            return naming.pop() if len(naming) == 1 else ""
        if package.name == "main":
            return "main."
        folder, slash, last = package.path.rpartition("/")
        outside = file.endswith("_test.go") and _OUTSIDE.search(
            text_or_nothing(file, _SOURCE_LIMIT)
        )
        return f"{folder}{slash}{last.replace('.', '%2e')}{'_test' if outside else ''}."

    def own(self, name: str) -> bool:
        """Whether a file (by its canonical name) belongs to the packages looked at: one of
        theirs, or one that a `//line` in theirs names."""
        if name in self._files or name in self._renamed:
            return True
        path = Path(name)
        if path.name.startswith(_GENERATED) or path.name.endswith(".cgo1.go"):
            return False
        return str(path.parent) in self._folders and (path.suffix != ".go" or not path.exists())

    def _is_own(self, name: str) -> bool:
        return self.own(self.canonical(name))

    def _is_standard(self, name: str) -> bool:
        """Whether a file, as the binary names it, is one of the standard library's."""
        whole = name if name.startswith("/") else f"{self._library}{name}"
        return whole.startswith(self._library) and Path(whole).exists()


def _told_of(package: GoPackage) -> Iterator[str]:
    """The files of which the compiler may speak in a package."""
    files = [str(file) for file in package.files]
    yield from files
    yield from dict.fromkeys(name for _, name in _named_by_directives(files))


def _trimmed(packages: Iterable[GoPackage], go_root: str) -> dict[str, str]:
    """What -trimpath leaves of each file's path."""
    names = {}
    for package in packages:
        for file in package.files:
            names[f"{package.path}/{file.name}"] = str(file)
            names[f"./{file.name}"] = str(file)
            if go_root and str(file).startswith(f"{go_root}/src/"):
                names[str(file)[len(go_root) + 5 :]] = str(file)
    return names


def _bare(directives: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The files that `//line` names, by their names from their packages, where one has it alone."""
    meant: dict[str, set[str]] = {}
    for file, name in directives:
        meant.setdefault(os.path.relpath(name, Path(file).parent), set()).add(name)
    return {bare: next(iter(names)) for bare, names in meant.items() if len(names) == 1}


def _named_by_directives(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files, wherever they are, that `//line` in these names, each after the one in which it
    does."""
    for file in files:
        text = text_or_nothing(file, _SOURCE_LIMIT)
        if "//line " in text or "/*line " in text:
            yield from ((file, name) for _, (name, _) in line_directives(file, text))


def changed_sources(build: EscapeBuild) -> list[Path]:
    """The files of the packages looked at that were written after the build."""
    files = (file for package in build.packages for file in package.files)
    return [file for file in files if file.exists() and not build.has_seen(file)]
