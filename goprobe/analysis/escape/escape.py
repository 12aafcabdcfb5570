"""`goprobe escape`: what the compiler predicts, held against what the program does.

Built once, as users build it; the compiler's messages and the code are joined to sites; the
program runs with its allocating calls counted and the first results of each looked at; and each
site gets its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.escape.audit import audit_escape
from goprobe.analysis.escape.judgement import unanswered
from goprobe.analysis.escape.onceeach import once_each
from goprobe.analysis.escape.passedover import promises_passed_over
from goprobe.analysis.escape.pool import Pool
from goprobe.analysis.escape.promises import promises_in
from goprobe.analysis.escape.repeated import summary_of, together
from goprobe.analysis.escape.request import (
    EscapeRequest,
    Mode,
    require_sense,
    require_tests,
)
from goprobe.analysis.escape.studied import Studied
from goprobe.importing import importing
from goprobe.model.escape import (
    Assertion,
    Build,
    EscapeReport,
)
from goprobe.model.report import head
from goprobe.model.trace import Exit
from goprobe.toolchain.escapebuild import (
    GCFLAGS,
    EscapeBuild,
    GoPackage,
    build_program,
    find_packages,
    no_tests,
)
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.librarybuild import build_library, exports_code
from goprobe.toolchain.releases import go_named
from goprobe.toolchain.testbuilds import build_tests

__all__ = ["EscapeRequest", "Mode", "escape"]

_NEXT = "goprobe.analysis.escape.runs"
"""What is done with builds: it brings much along, and is loaded while Go builds."""


def escape(request: EscapeRequest) -> EscapeReport:
    """Build, then run and judge as often as is asked. Raises UsageError, BuildError, NoGoError,
    NotPermittedError."""
    require_sense(request)
    go = go_named(request.go)
    tests = request.mode is Mode.TEST
    with importing(_NEXT):
        packages = find_packages(
            request.targets, go, tests=tests, flags=request.flags, cwd=request.cwd.absolute()
        )
        builds = _builds(request, packages, go)
    from goprobe.analysis.escape.askedfor import require_files, require_promised
    from goprobe.analysis.escape.runs import studied

    require_files(request, packages)
    require_tests(request, builds)
    require_promised(request, packages, builds)
    left = [p for p in packages if all(p not in build.packages for build in builds)]
    runs = zip(*studied(builds, go, request), strict=True)
    passed_over = promises_passed_over(packages, request.cwd, go, request.flags)
    reports = [
        replace(_report(studies, left, go, request), passed_over=passed_over) for studies in runs
    ]
    if len(reports) == 1:
        return reports[0]
    report = together(reports)
    return finished(report, audit_escape(report))


def _builds(request: EscapeRequest, packages: Sequence[GoPackage], go: GoTool) -> list[EscapeBuild]:
    """The test binaries, or the program; where nothing is to be run, each program there is, and of
    the other packages all that they export. (The only program tells of those as well: of generic
    functions that it uses, and of what is not exported.)"""
    flags, progress = request.flags, request.progress
    if request.mode is Mode.TEST:
        return list(build_tests(_tested(packages), go, flags=flags, progress=progress))
    programs = [p for p in packages if p.name == "main"]
    if not request.static:
        return [build_program(packages, go, flags=flags, progress=progress)]
    looked_at = [packages] if len(programs) == 1 else [(p,) for p in programs]
    builds = [build_program(each, go, flags=flags, progress=progress) for each in looked_at]
    libraries = [p for p in packages if p.name != "main" and p.files]
    if libraries and (not programs or exports_code(libraries)):
        builds.append(build_library(libraries, go, flags=flags, progress=progress))
    return builds


def _tested(packages: Sequence[GoPackage]) -> Sequence[GoPackage]:
    """Those that have tests. Raises UsageError where none has."""
    tested = [p for p in packages if p.has_tests]
    if not tested:
        raise no_tests(packages)
    return tested


def _report(
    studies: Sequence[Studied], left: Sequence[GoPackage], go: GoTool, request: EscapeRequest
) -> EscapeReport:
    """`left` are packages that were named, and are in none of the binaries."""
    if request.static:
        studies = once_each(studies)
    sites = tuple(s for study in studies for s in study.sites)
    assertions = [a for study in studies for a in study.assertions]
    pool = Pool(request.cwd)
    why = "exports no code to be looked at" if request.static else "has no tests that would run it"
    assertions += [pool.assertion(a) for package in left for a in _of_package_left(package, why)]
    first = studies[0]
    report = EscapeReport(
        **head(studies[-1].pid, go.version, str(first.build.binary)),
        build=Build(request.flags, " ".join(first.build.command), GCFLAGS, str(first.build.binary)),
        sites=sites,
        assertions=tuple(assertions),
        summary=summary_of(sites),
        ran=not request.static,
        partial=" · ".join(s.partial for s in studies if s.partial),
        failed=", ".join(_failed(studies)) if request.mode is Mode.TEST else "",
        folder=str(request.cwd.absolute()),
        root=str(_repository(request.cwd.absolute())),
        exit=_exit(studies),
        dangling=tuple(d for s in studies for d in s.dangling),
        warnings=tuple(w for s in studies for w in s.warnings),
        functions=tuple(f for study in studies for f in study.functions),
        benchmarks=tuple(b for study in studies for b in study.benchmarks),
    )
    return finished(report, audit_escape(report))


def _of_package_left(package: GoPackage, why: str) -> Iterable[Assertion]:
    for file in package.files:
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for promise in promises_in(str(file), text):
            yield unanswered(promise, f"{package.path} {why}")


def _exit(studies: Sequence[Studied]) -> Exit:
    """The first that ended badly, else that of the last."""
    bad = [s.exit for s in studies if s.exit != Exit(code=0)]
    return bad[0] if bad else studies[-1].exit


def _repository(folder: Path) -> Path:
    """The working tree of git that holds a folder, the folder itself where none does."""
    return next((at for at in (folder, *folder.parents) if (at / ".git").exists()), folder)


def _failed(studies: Sequence[Studied]) -> Iterable[str]:
    """The packages whose tests failed."""
    for study in studies:
        code = study.exit.code
        if study.ran and code is not UNSET and code:
            yield f"{study.build.program.path} (code {code})"
