"""Builds programs and test binaries as users ship them, and keeps what the compiler says of them.

One build gives both: `-gcflags=-m=2` makes the compiler talk and changes nothing in the code that
it makes (the flag is read in diagnostics only; see diagnostics.py for where). What the user has
said of -gcflags holds as well: see compilerflags.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from goprobe.errors import GoprobeError, UsageError
from goprobe.toolchain.build import (
    MADE,
    Progress,
    build_error,
    run_build,
    run_go,
    saying,
)
from goprobe.toolchain.compilerflags import flags_for
from goprobe.toolchain.diagnostics import Diagnostic, parse_diagnostics
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.golist import Listed, list_packages
from goprobe.toolchain.tellingbuild import (
    build_environment,
    compiled,
    folder_of,
    keep_said,
    said_by_lines,
    said_of,
    said_size,
)

GCFLAGS = "-m=2"
TEST = ("test", "-c", "-vet=off")
OF_FILES = "command-line-arguments"


class GoPackage(msgspec.Struct, frozen=True):
    """A package named by the user. `files` are the Go files of this build, absolute, the test
    files among them where tests are built; `argument` names it to Go, run in `cwd`."""

    path: str
    name: str
    directory: Path
    files: tuple[Path, ...]
    argument: tuple[str, ...]
    cwd: Path
    standard: bool = False

    @property
    def title(self) -> str:
        """As the user calls it: Go has no name for a package of files."""
        return self.path if self.path != OF_FILES else " ".join(self.argument)

    @property
    def has_tests(self) -> bool:
        return any(path.name.endswith("_test.go") for path in self.files)


class EscapeBuild(msgspec.Struct, frozen=True):
    """A binary with the compiler's messages about `packages`, which lie beside it. Files in
    `diagnostics` are relative to `cwd` unless absolute. `program` is the package that runs. `built`
    is when Go last said that the binary is that of the sources, in seconds."""

    binary: Path
    command: tuple[str, ...]
    flags: tuple[str, ...]
    cwd: Path
    program: GoPackage
    packages: tuple[GoPackage, ...]
    built: float

    @property
    def said(self) -> bytes:
        """What the compiler said, to be asked for once: of many packages it is large."""
        return said_of(self.binary)

    @property
    def said_size(self) -> int:
        """In bytes, 0 where it is not there."""
        return said_size(self.binary)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return parse_diagnostics(said_by_lines(self.binary))

    def has_seen(self, file: Path) -> bool:
        """Whether the build has seen a source file as it is now."""
        return file.stat().st_mtime <= self.built


def find_packages(
    targets: Sequence[str], go: GoTool, *, tests: bool, flags: Sequence[str] = (), cwd: Path
) -> tuple[GoPackage, ...]:
    """The packages that TARGETs (patterns, folders, one .go file or several of one package) name.

    Raises UsageError (no such file, no Go in it) and BuildError (Go cannot make sense of it).
    """
    if not targets:
        raise UsageError(
            "no package: name a Go package or a .go file", hint="goprobe escape . is the one here"
        )
    files = [t for t in targets if t.endswith(".go")]
    if files and len(files) != len(targets):
        raise UsageError("name Go files or Go packages, not both")
    if files:
        return (_package_of_files(files, go, tests, flags, cwd),)
    packages: list[GoPackage] = []
    for target in targets:
        packages += _packages_of(target, go, tests, flags, cwd)
    return tuple({p.path: p for p in packages}.values())


def _package_of_files(
    files: Sequence[str], go: GoTool, tests: bool, flags: Sequence[str], cwd: Path
) -> GoPackage:
    paths = [(cwd / file).absolute() for file in files]
    for file, path in zip(files, paths, strict=True):
        if not path.is_file():
            raise UsageError(f"{file}: no such file" if not path.exists() else f"{file} is no file")
    if len({path.parent for path in paths}) > 1:
        raise UsageError("the Go files named lie in different folders")
    folder, names = paths[0].parent, tuple(path.name for path in paths)
    listed = list_packages(go, names, folder, flags, files[0])
    return _made(listed[0], names, folder, tests)


def _packages_of(
    target: str, go: GoTool, tests: bool, flags: Sequence[str], cwd: Path
) -> list[GoPackage]:
    path = cwd / target
    if path.is_dir():
        folder, argument = path.absolute(), "."
    elif target.startswith(("/", "~")) and "..." not in target and not path.exists():
        raise UsageError(f"{target}: no such file or directory")
    elif path.is_file():
        raise UsageError(f"{target} is neither a Go file nor a package")
    else:
        folder, argument = cwd, target
    listed = list_packages(go, (argument,), folder, flags, target)
    several = len(listed) > 1
    return [_made(p, (p.ImportPath if several else argument,), folder, tests) for p in listed]


def _made(listed: Listed, argument: tuple[str, ...], cwd: Path, tests: bool) -> GoPackage:
    names = listed.of_tests if tests else listed.files
    folder = Path(listed.Dir or cwd)
    return GoPackage(
        listed.ImportPath,
        listed.Name,
        folder,
        tuple(folder / name for name in names),
        argument,
        cwd,
        listed.Standard,
    )


def build_program(
    packages: Sequence[GoPackage],
    go: GoTool,
    *,
    flags: Sequence[str] = (),
    progress: Progress | None = None,
) -> EscapeBuild:
    """The program among the packages, with the messages about all of them.

    Raises UsageError where not exactly one is a main package, BuildError where it does not build.
    """
    programs = [p for p in packages if p.name == "main"]
    if len(programs) != 1:
        raise _no_program(packages, programs)
    program = programs[0]
    given = [*goflags(go), *flags]
    return _build("build", program, tuple(packages), go, flags, given, progress)


def build_test(
    package: GoPackage,
    go: GoTool,
    *,
    flags: Sequence[str] = (),
    given: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> EscapeBuild:
    """The package's test binary. `given` are GOFLAGS and `flags`, where Go has been asked for them.
    Raises UsageError where it has no tests, and BuildError."""
    if not package.has_tests:
        raise no_tests((package,))
    given = [*goflags(go), *flags] if given is None else given
    return _build("test", package, (package,), go, flags, given, progress)


def no_tests(packages: Sequence[GoPackage]) -> UsageError:
    """That there is nothing to run in test binaries, and what there is instead."""
    first = packages[0]
    who = (
        f"{first.title} has" if len(packages) == 1 else f"none of the {len(packages)} packages has"
    )
    runs = len([p for p in packages if p.name == "main"]) == 1
    program = "; without --test, --run and --bench the program itself is run" if runs else ""
    return UsageError(
        f"{who} {'no ' if len(packages) == 1 else ''}tests to be run",
        hint=f"--static looks at the code and runs nothing{program}",
    )


def _no_program(packages: Sequence[GoPackage], programs: Sequence[GoPackage]) -> UsageError:
    if programs:
        names = ", ".join(p.path for p in programs)
        return UsageError(f"these are several programs ({names}): name one of them")
    names = ", ".join(p.title for p in packages)
    return UsageError(
        f"{names} is not a program: there is no package main to run",
        hint="--test runs its tests, --bench REGEX its benchmarks; --static runs nothing",
    )


def _build(
    kind: str,
    package: GoPackage,
    packages: tuple[GoPackage, ...],
    go: GoTool,
    flags: Sequence[str],
    given: Sequence[str],
    progress: Progress | None,
) -> EscapeBuild:
    options = (*flags, *telling_flags(package, packages, given), *with_symbols(given))
    folder = folder_of(kind, package.argument, package.cwd, go, options)
    binary = folder / (f"{package.directory.name}.test" if kind == "test" else _name(package))
    verb = TEST if kind == "test" else ("build",)
    made = str(folder / MADE / binary.name)
    command = (str(go.path), *verb, *options, "-o", made, *package.argument)
    with saying(f"building {package.path} with Go {go.version}", progress):
        paths = [each.path for each in packages]
        made_now = compiled(command, package.cwd, folder, [binary.name], paths)
    if made_now.code != 0:
        raise _does_not_build(package, (str(go.path), *verb, *flags), folder)
    if not made_now.built:
        raise no_tests((package,))
    keep_said(binary, made_now.said)
    return EscapeBuild(
        binary,
        command,
        tuple(flags),
        package.cwd,
        package,
        packages,
        made_now.built,
    )


def telling_flags(
    program: GoPackage, packages: Sequence[GoPackage], given: Sequence[str]
) -> Iterator[str]:
    """The flags that make the compiler talk of each package, besides what the user has it do."""
    for package in (*(p for p in packages if p is not program), program):
        named = package is program
        own = flags_for(
            given,
            package.path,
            package.directory,
            package.cwd,
            named=named,
            standard=package.standard,
        )
        pattern = "" if named else f"{package.path}="
        yield f"-gcflags={pattern}{f'{own} {GCFLAGS}'.lstrip()}"
    if _has_profile(program, given) and all(p.path != _RUNTIME for p in packages):
        own = flags_for(given, _RUNTIME, program.directory, program.cwd, named=False, standard=True)
        yield f"-gcflags={_RUNTIME}={f'{own} {_NO_PROFILE}'.lstrip()}"


_RUNTIME = "runtime"
# Of a flag that the compiler is given twice the last one counts: go gives it the profile before
# what -gcflags says (cmd/go/internal/work/gc.go, gc, Go 1.21 to 1.27). By a profile that knows of
# much allocation mallocgc is inlined into makeslice and newobject, and calls its parts by a table:
# nobody could count them. The user's own code is built by the profile.
_NO_PROFILE = "-pgoprofile="


def _has_profile(program: GoPackage, given: Sequence[str]) -> bool:
    """Whether a program is built by a profile: -pgo is auto where nobody says otherwise (go help
    build)."""
    said = [f.lstrip("-").partition("=")[2] for f in given if f.lstrip("-").startswith("pgo=")]
    asked = said[-1] if said else "auto"
    return asked != "off" and (asked != "auto" or (program.directory / "default.pgo").exists())


def with_symbols(given: Sequence[str]) -> list[str]:
    """The linker flags that the user gave, with symbols and debug information kept all the same,
    and that as it is: to compress it takes a third of linking. It changes nothing in the code.

    Of a linker flag the last one counts, of -ldflags too, and a command line's over GOFLAGS.
    """
    given_flags = [f.split("=", 1)[1] for f in given if f.lstrip("-").startswith("ldflags=")]
    return [f"-ldflags={given_flags[-1]} {_KEPT}" if given_flags else f"-ldflags={_KEPT}"]


_KEPT = "-s=0 -w=0 -compressdwarf=false"


def goflags(go: GoTool) -> list[str]:
    _, output, _ = run_go((str(go.path), "env", "GOFLAGS"), Path("/"), go_environment())
    try:
        return shlex.split(output.decode(errors="replace"))
    except ValueError:
        return []


def _does_not_build(package: GoPackage, command: Sequence[str], folder: Path) -> GoprobeError:
    """The compiler's errors, without all that -m=2 made it say before them."""
    command = (*command, "-o", str(folder / "failed"), *package.argument)
    _, _, complaints = run_build(command, package.cwd, build_environment())
    return build_error(package.path, complaints)


def _name(package: GoPackage) -> str:
    first = package.argument[0]
    return first[:-3] if first.endswith(".go") else package.directory.name or "main"
