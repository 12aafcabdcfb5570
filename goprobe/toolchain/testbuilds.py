"""Test binaries of many packages, by few builds: Go reads their imports and compiles what they
share once, and links as many at a time as there are processors.

`go test -c -o FOLDER/` takes several packages from Go 1.21 on, where their binaries differ in name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from goprobe.errors import BuildError, UsageError
from goprobe.toolchain.build import MADE, Progress, saying
from goprobe.toolchain.escapebuild import (
    TEST,
    EscapeBuild,
    GoPackage,
    build_test,
    goflags,
    telling_flags,
    with_symbols,
)
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.tellingbuild import MAX_DIAGNOSTICS, compiled, folder_of, heads, keep_said

_MOST = 16
"""Of one build: what the compiler says of them is held in memory at once."""


def build_tests(
    packages: Sequence[GoPackage],
    go: GoTool,
    *,
    flags: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[EscapeBuild]:
    """The test binary of each, in their order. Raises as `build_test`."""
    given = [*goflags(go), *flags]
    for group in _groups(packages, given):
        made = _together(group, go, flags, given, progress) if len(group) > 1 else []
        yield from made or (
            build_test(p, go, flags=flags, given=given, progress=progress) for p in group
        )


def _groups(packages: Sequence[GoPackage], given: Sequence[str]) -> Iterator[list[GoPackage]]:
    """Packages that follow one another and that one command can build."""
    group: list[GoPackage] = []
    for package in packages:
        if group and not (
            len(group) < _MOST
            and _one_command(package)
            and _one_command(group[0])
            and package.cwd == group[0].cwd
            and _base(package) not in map(_base, group)
            and _telling(package, given) == _telling(group[0], given)
        ):
            yield group
            group = []
        group.append(package)
    if group:
        yield group


def _one_command(package: GoPackage) -> bool:
    """Whether it is called by its import path: a folder's "." is another's, too."""
    return package.has_tests and package.argument == (package.path,)


def _base(package: GoPackage) -> str:
    return _binary(package).casefold()


def _telling(package: GoPackage, given: Sequence[str]) -> list[str]:
    return list(telling_flags(package, (package,), given))


def _binary(package: GoPackage) -> str:
    """As Go calls it: a major version is no name (load.DefaultExecName, cmd/go)."""
    *before, last = package.path.split("/")
    if before and re.fullmatch(r"v[2-9]|v[1-9]\d+", last):
        last = before[-1]
    return f"{last}.test"


def _together(
    group: Sequence[GoPackage],
    go: GoTool,
    flags: Sequence[str],
    given: Sequence[str],
    progress: Progress | None,
) -> list[EscapeBuild]:
    """[] where they cannot be built so: one by one it is told which of them, and why."""
    first = group[0]
    options = (*flags, *_telling(first, given), *with_symbols(given))
    paths = [package.path for package in group]
    folder = folder_of("tests", paths, first.cwd, go, options)
    command = (str(go.path), *TEST, *options, "-o", f"{folder / MADE}/", *paths)
    names = [_binary(package) for package in group]
    try:
        with saying(f"building {len(group)} test binaries with Go {go.version}", progress):
            made = compiled(command, first.cwd, folder, names, paths)
    except (BuildError, UsageError):
        return []
    if made.code or not made.built or len(made.said) >= MAX_DIAGNOSTICS:
        return []
    parts = _by_package(made.said)
    for package, name in zip(group, names, strict=True):
        keep_said(folder / name, _of(package, parts))
    return [
        EscapeBuild(folder / name, command, tuple(flags), p.cwd, p, (p,), made.built)
        for p, name in zip(group, names, strict=True)
    ]


def _by_package(said: bytes) -> dict[tuple[str, str], list[bytes]]:
    """What the compiler said, by the package and the test that it was compiled for, "" for none."""
    begin = heads(said)
    ends = [at for at, _, _ in begin[1:]] + [len(said)]
    parts: dict[tuple[str, str], list[bytes]] = {}
    for (at, path, test), end in zip(begin, ends, strict=True):
        parts.setdefault((path, test), []).append(said[at:end])
    return parts


def _of(package: GoPackage, parts: dict[tuple[str, str], list[bytes]]) -> bytes:
    """What a build of this package alone would have said of it."""
    path, test = package.path, f"{package.path}.test"
    # Compiled for its own test where that has files in the package, else as it is for others.
    own = parts.get((path, test)) or parts.get((path, ""), [])
    return b"".join((*own, *parts.get((f"{path}_test", test), ())))
