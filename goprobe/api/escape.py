"""`goprobe.escape` for Python programs, and asserts for test suites.

report = goprobe.escape("./encoder", test=True)
goprobe.assert_promises(report)                      # //goprobe:noalloc and the like
goprobe.assert_no_allocation(report, "encoder.go:42")
goprobe.assert_no_allocation(report, "encoder.(*Encoder).Byte")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.escape import EscapeRequest, Mode, escape as run
from goprobe.analysis.escape.judgement import PromisedCode, code_at, no_allocation
from goprobe.analysis.escape.promisedplaces import standing_in
from goprobe.analysis.escape.verdict import NOT_IN_BINARY
from goprobe.api.several import several
from goprobe.api.streams import Stream, descriptor
from goprobe.binary.pcln.format import plain_name
from goprobe.errors import UsageError
from goprobe.model.escape import EscapeReport, FunctionCode, Site, SourceLine, Verdict

_SHOWN = 20


def escape(
    *targets: str,
    test: bool = False,
    run_tests: str = "",
    bench: str = "",
    static: bool = False,
    args: Sequence[str] = (),
    hits: int = 32,
    check_pointers: int = 0,
    deep: bool = False,
    repeat: int = 1,
    promises: Sequence[str] = (),
    go: str = "",
    flags: Sequence[str] = (),
    timeout: float | None = None,
    stdout: Stream = 1,
    stderr: Stream = 2,
    cwd: str | Path | None = None,
) -> EscapeReport:
    """What the compiler predicts of the packages' memory, held against a run of them.

    `targets` are Go packages or one package's .go files; `test`, `run_tests` (a regular
    expression, as `go test -run` takes it) and `bench` run test binaries instead of a program,
    `static` runs nothing. `hits` results of each call are looked at, `check_pointers` is the
    number of hits between sweeps for pointers into stacks (0: one at the end), `timeout` is in
    seconds. With `repeat` it is run so often, and each site tells the fewest and the most objects
    of a run. `promises` are such as "pkg.(*T).Method noalloc deep". `go` is a go command, or a
    release such as "1.27". `stdout` and `stderr` are descriptors, or open files,
    for the program's own output.

    Raises UsageError, BuildError, NoGoError, NotPermittedError.
    """
    testing = bool(test or run_tests or bench)
    return run(
        EscapeRequest(
            targets=targets,
            mode=Mode.TEST if testing else Mode.PROGRAM,
            run=run_tests,
            bench=bench,
            static=static,
            args=several(args, "args"),
            hits=hits,
            check_pointers=check_pointers,
            deep=deep,
            repeat=repeat,
            promises=several(promises, "promises"),
            go=go,
            flags=several(flags, "flags"),
            timeout=timeout,
            stdout=descriptor(stdout, "stdout"),
            stderr=descriptor(stderr, "stderr"),
            cwd=Path(cwd) if cwd else Path.cwd(),
        )
    )


def assert_promises(report: EscapeReport) -> None:
    """Raises AssertionError where a //goprobe: comment was not kept, a prediction was
    contradicted, tests failed, or the run was not seen to its end."""
    _assert_whole(report)
    if report.failed:
        raise AssertionError(f"tests failed: {report.failed}")
    told = [
        f"{a.file}:{a.line}: goprobe:{a.text}: {a.why}" for a in report.assertions if not a.held
    ]
    told += [_told(s) for s in report.sites if s.verdict is Verdict.CONTRADICTED]
    told += [f"{d.source} points at {d.target}" for d in report.dangling]
    _assert_none(told, "promises of the source were not kept")


def assert_no_allocation(report: EscapeReport, where: str) -> None:
    """Raises AssertionError where the code named was seen to allocate, or can, and was not seen to
    run: the judgement of `//goprobe:noalloc`.

    `where` is a function ("pkg.Func", "pkg.(*T).Method") with the literals in it, a line
    ("file.go:42") or a file.
    Raises UsageError where the report has nothing of that name: a promise about code that is not
    there would hold of itself.
    """
    _assert_whole(report)
    code = _code(report, where)
    if code is None:
        raise UsageError(f"the report has no code and no site at {where}")
    sites = dict.fromkeys(_told(site) for site, _ in code.allocating)
    _assert_none(sites, f"{where} allocates")
    judgement = no_allocation(code)
    if not judgement.held:
        raise AssertionError(f"{where}: {judgement.why}")


def _code(report: EscapeReport, where: str) -> PromisedCode | None:
    """The code of that name; None where there is none."""
    file, _, number = where.rpartition(":")
    line = int(number) if number.isdigit() else 0
    functions = [f for f in report.functions if _is_of(f, where, file, line)]

    def holds(place: SourceLine) -> bool:
        if line:
            return place.line == line and _same_file(place.file, file)
        return _is_named(place.function, where) or _same_file(place.file, where)

    unknown = any(f.ran is None and f.may for f in functions)
    untold = unknown or (bool(functions) and all(f.ran is None for f in functions))
    code = code_at(
        report.sites,
        holds,
        started=report.ran,
        ran=any(f.ran for f in functions) or (None if untold else False),
        unseen=report.partial,
        may=_may(functions, line),
    )
    if functions or code.pieces:
        return code
    if not code.sites:
        return None
    there = not all(site.reason.startswith(NOT_IN_BINARY) for site in code.sites)
    return replace(code, there=there, gone="nothing calls it, or every call was inlined")


def _may(functions: Iterable[FunctionCode], line: int) -> str:
    """What may allocate though nothing there asks for memory, on a line where one is asked for."""
    may = (f.may for f in functions if f.may and (not line or line in f.may_lines))
    named = next(may, "")
    return f"a call of the runtime (line {line})" if named and line else named


def _is_of(function: FunctionCode, where: str, file: str, line: int) -> bool:
    if line:
        return _same_file(function.file, file) and function.first <= line <= function.last
    return _is_named(function.name, where) or _same_file(function.file, where)


def _assert_whole(report: EscapeReport) -> None:
    if report.partial:
        raise AssertionError(f"the run was not seen to its end: {report.partial}")


def _assert_none(told: Iterable[str], what: str) -> None:
    lines = list(told)
    if lines:
        more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise AssertionError("\n  ".join([f"{what}:", *lines[:_SHOWN], *more]))


def _told(site: Site) -> str:
    return f"{site.file}:{site.line}: {site.expression}: {site.verdict}, {site.reason}"


def _same_file(file: str, named: str) -> bool:
    return bool(named) and (file == named or file.endswith(f"/{named}"))


def _is_named(function: str, named: str) -> bool:
    """Whether it is the function that is named, or a literal in it, which is its own code."""
    return any(_same_function(each, named) for each in standing_in(function))


def _same_function(function: str, named: str) -> bool:
    compiled = _COMPILED.search(function) or _COMPILED.search(named)
    plain, spelt = (plain_name(n) if compiled else n.replace("%2e", ".") for n in (function, named))
    return named == function or spelt == plain or plain.endswith((f"/{spelt}", f".{spelt}"))


# As the code is called that is there for all types of a shape.
_COMPILED = re.compile(r"\[(?:\.\.\.|go\.shape\.)")
