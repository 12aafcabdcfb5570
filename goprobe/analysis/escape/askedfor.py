"""What is asked about by name, and is not there: told before anything is run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from goprobe.analysis.escape.declared import Declared
from goprobe.analysis.escape.promisedplaces import is_named
from goprobe.analysis.escape.promises import Promise, promise_named
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.sources import Sources
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.find import open_line_table
from goprobe.errors import UsageError
from goprobe.files import text_or_nothing
from goprobe.toolchain.escapebuild import EscapeBuild, GoPackage

_LIMIT = 64 << 20
_OTHER_NAMES = ("//line ", "/*line ", 'import "C"')


def is_file_named(file: str, pattern: str) -> bool:
    """Whether --file means a file of a report."""
    return file == pattern or file.endswith(f"/{pattern}") or fnmatchcase(file, pattern)


def require_files(request: EscapeRequest, packages: Sequence[GoPackage]) -> None:
    """Raises UsageError for a --file that no file of the packages has the name of; not where others
    are told of as well, or files may be called otherwise (`//line`, cgo)."""
    files = [file for package in packages for file in package.files]
    if request.deep or not request.files or any(map(_has_other_names, files)):
        return
    names = {name for file in files for name in (str(file), os.path.relpath(file, request.cwd))}
    for pattern in request.files:
        if not any(is_file_named(name, pattern) for name in names):
            raise UsageError(f"--file {pattern}: no file of the packages has that name")


def _has_other_names(file: Path) -> bool:
    text = text_or_nothing(file, _LIMIT)
    return any(word in text for word in _OTHER_NAMES)


def require_promised(
    request: EscapeRequest, packages: Sequence[GoPackage], builds: Sequence[EscapeBuild]
) -> None:
    """Raises UsageError for a --promise of a function, or a package, that is nowhere. (Of one
    binary alone `require_known` tells, and more.)"""
    declared, missing = Declared(packages, Sources(), {}, str), dict[str, str]()
    for named in (promise_named(text).named for text in request.promises):
        if not declared.is_of_these(named):
            missing[named] = "nothing here is of a package that is called so"
        elif len(builds) > 1 and (why := declared.unknown(named)):
            missing[named] = why
    for name in _names(builds) if missing else ():
        for named in tuple(missing):
            if is_named(name, named) or _is_of_its_package(name, named, declared):
                del missing[named]
        if not missing:
            return
    for named, why in missing.items():
        raise UsageError(f"--promise {named}: {why}")


def _names(builds: Iterable[EscapeBuild]) -> Iterator[str]:
    for build in builds:
        table = open_line_table(ElfFile(build.binary, shown_as=build.program.path))
        yield from table.every_name()


def _is_of_its_package(name: str, named: str, declared: Declared) -> bool:
    """Of packages that are not looked at that alone is known: much of them is in no binary."""
    if declared.is_of_these(named):
        return False
    path, slash, last = named.partition("[")[0].rpartition("/")
    package = f"{path}{slash}{last.partition('.')[0]}."
    return name.startswith(package) or f"/{package}" in name


def require_known(promises: Iterable[Promise]) -> None:
    """Raises UsageError for a --promise of a function that the source has not."""
    for promise in promises:
        if promise.named and promise.problem:
            raise UsageError(f"--promise {promise.named}: {promise.problem}")
