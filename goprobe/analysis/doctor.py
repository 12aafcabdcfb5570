"""Whether goprobe can work on this machine, tried out rather than guessed."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from goprobe import compiled
from goprobe.analysis.audit import finished
from goprobe.arch.registers import PC
from goprobe.cachefolder import cache_root
from goprobe.errors import BuildError, GoprobeError, TargetError, UnreadableError
from goprobe.model.doctor import Check, DoctorReport, Health
from goprobe.model.report import head
from goprobe.process.gdb.controller import Gdb
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.rights.privileges import Privileges, read_privileges
from goprobe.toolchain.build import build
from goprobe.toolchain.cache import build_folder
from goprobe.toolchain.find import GdbTool, GoTool, find_gdb, find_go, gdb_has_python
from goprobe.toolchain.support import gdb_warning, go_warning

Progress = Callable[[str], None]

_PROGRAM = 'package main\n\nfunc main() { println("hello") }\n'
_PATIENCE = 30.0
_BYTES = 16
_CACHE_HINT = "set XDG_CACHE_HOME to a folder of your own that only you can write to"
_SYSCTL = "sudo sysctl kernel.yama.ptrace_scope={}"


def examine(
    go_option: str | None = None,
    gdb_option: str | None = None,
    progress: Progress | None = None,
) -> DoctorReport:
    """Look for the tools, build a program of one line, run it under GDB and read its memory.

    Raises nothing: whatever is wrong is a finding.
    """
    go, go_check = _go(go_option)
    gdb, gdb_check = _gdb(gdb_option)
    permission = _permission(read_privileges())
    built, build_check = _build(go, progress)
    launch_check = _launch(gdb, built)
    checks = (
        _machine(),
        go_check,
        gdb_check,
        permission,
        _cache(),
        _speed(),
        build_check,
        launch_check,
    )
    bad = (Health.FAILED, Health.NOT_TRIED)
    report = DoctorReport(
        **head(0, go.version if go else ""),
        checks=checks,
        works=not any(check.health in bad for check in checks),
    )
    return finished(report, ())


def _machine() -> Check:
    here = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return Check("machine", Health.FAILED, f"this is {here}; goprobe needs Linux on x86_64")
    return Check("machine", Health.OK, here)


def _go(option: str | None) -> tuple[GoTool | None, Check]:
    try:
        go = find_go(option)
    except GoprobeError as error:
        return None, _failed("Go", error)
    finding = f"Go {go.version} ({go.origin}): {go.path}"
    return go, _found("Go", finding, go_warning(go.version))


def _gdb(option: str | None) -> tuple[GdbTool | None, Check]:
    try:
        gdb = find_gdb(option)
        version = gdb.version
    except GoprobeError as error:
        return None, _failed("GDB", error)
    python = "with Python inside" if gdb_has_python(gdb) else "without Python inside, which is fine"
    finding = f"GDB {version} ({gdb.origin}), {python}: {gdb.path}"
    return gdb, _found("GDB", finding, gdb_warning(version))


def _found(name: str, finding: str, warning: str) -> Check:
    if warning:
        return Check(name, Health.WARNING, f"{finding}; {warning}")
    return Check(name, Health.OK, finding)


def _failed(name: str, error: GoprobeError) -> Check:
    return Check(name, Health.FAILED, error.message, error.hint)


def _permission(rights: Privileges) -> Check:
    """What the kernel lets us trace: programs of our own to start, and processes that run."""
    who = "as root" if rights.root else "as an ordinary user"
    if rights.may_trace_all:
        who += " with CAP_SYS_PTRACE"
    match rights.yama:
        case 3:
            return Check(
                "permission",
                Health.FAILED,
                "Yama forbids all tracing (kernel.yama.ptrace_scope is 3) until the next boot",
                "set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d and reboot",
            )
        case 2 if not rights.may_trace_all:
            return Check(
                "permission",
                Health.FAILED,
                "Yama lets only CAP_SYS_PTRACE trace (kernel.yama.ptrace_scope is 2)",
                f"run goprobe as root, or {_SYSCTL.format(1)}",
            )
        case 1 if not rights.may_trace_all:
            return Check(
                "permission",
                Health.WARNING,
                f"{who}: programs that goprobe starts can be traced, processes that run already "
                "cannot (kernel.yama.ptrace_scope is 1)",
                f"{_SYSCTL.format(0)} for where, maps, goroutines and heap",
            )
    yama = "no Yama" if rights.yama is None else f"kernel.yama.ptrace_scope is {rights.yama}"
    filtered = ", under a seccomp filter" if rights.seccomp else ""
    return Check("permission", Health.OK, f"{who}; {yama}{filtered}")


def _cache() -> Check:
    """Where goprobe keeps its files; elsewhere than one would expect is worth a word."""
    folder = cache_root()
    if folder is None:
        return Check(
            "cache",
            Health.WARNING,
            "there is no folder that goprobe may write to: it learns every binary anew",
            _CACHE_HINT,
        )
    if folder.name != "goprobe":
        finding = f"{folder}: the usual place is not there, not ours, or writable by others"
        return Check("cache", Health.WARNING, finding, _CACHE_HINT)
    return Check("cache", Health.OK, str(folder))


def _speed() -> Check:
    """Whether loops over large heaps are compiled: they work without, but take longer."""
    if compiled.installed():
        return Check(
            "speed", Health.OK, "numba is there: large heaps are looked at by compiled code"
        )
    return Check(
        "speed",
        Health.WARNING,
        "numba is not installed: heaps of millions of objects take several times as long",
        "pip install numba",
    )


def _build(go: GoTool | None, progress: Progress | None) -> tuple[Path | None, Check]:
    if go is None:
        return None, Check("build", Health.NOT_TRIED, "not tried: there is no Go")
    try:
        folder = build_folder("doctor")
        source = folder / "hello.go"
        source.write_text(_PROGRAM)
        built = build(str(source), go, out_dir=folder, progress=progress)
    except BuildError as error:
        lines = error.output.strip().splitlines() or [error.message]
        finding = f"Go does not build a program of one line: {lines[-1]}"
        return None, Check("build", Health.FAILED, finding, error.hint)
    except GoprobeError as error:
        return None, _failed("build", error)
    return built.binary, Check("build", Health.OK, f"Go {go.version} builds a program")


def _launch(gdb: GdbTool | None, binary: Path | None) -> Check:
    """Without Go any other program will do: it is GDB and the kernel that are on trial."""
    if gdb is None:
        return Check("launch", Health.NOT_TRIED, "not tried: there is no GDB")
    program = binary or Path(shutil.which("true") or "/bin/true")
    try:
        version = _trial(gdb, program)
    except GoprobeError as error:
        return _failed("launch", error)
    what = "a Go program" if binary else str(program)
    return Check("launch", Health.OK, f"GDB {version} ran {what}, and goprobe read its memory")


def _trial(gdb: GdbTool, program: Path) -> str:
    with (
        Path("/dev/null").open("r+b") as nothing,
        Gdb(gdb.command, environment=gdb.environment) as controller,
    ):
        null = nothing.fileno()
        pid = controller.launch(program, stdin=null, stdout=null, stderr=null, timeout=_PATIENCE)
        memory = ProcessMemory(pid)
        try:
            code = memory.read(controller.registers()[PC], _BYTES)
        except UnreadableError as error:
            raise TargetError(
                f"goprobe cannot read the memory of a program under GDB: {error}"
            ) from None
        finally:
            memory.close()
        event = controller.resume(timeout=_PATIENCE)
        if event.kind != "exited" or event.exit_code or not any(code):
            raise TargetError(f"a program that does nothing ended badly under GDB: {event.detail}")
        return controller.version
