"""What the fixture `goprobe` gives to a test."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from goprobe.api.escape import assert_no_allocation, assert_promises
from goprobe.api.leaks import assert_no_leaks
from goprobe.api.process import Process, attach
from goprobe.api.script.launching import launch
from goprobe.api.script.program import Program
from goprobe.api.script.value import Value
from goprobe.errors import UsageError
from goprobe.model.location import Kind, Location
from goprobe.testing.reports import Reports
from goprobe.testing.started import Started, start
from goprobe.toolchain.built import made_of


class Probe:
    """Go programs for one test. Whatever it has launched or started ends with the test."""

    def __init__(self, folder: Path, reports: Reports | None = None) -> None:
        """`folder` is where the output of started programs is kept, `reports` are those that other
        tests have asked for already."""
        self._folder = folder
        self._reports = reports or Reports()
        self._open = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def launch(self, target: str | Path, args: Sequence[str] = (), **options: Any) -> Program:
        """A program held before its first instruction, to go through stop by stop: as
        `goprobe.launch`, and with its options."""
        return self._open.enter_context(launch(str(target), args, **options))

    def attach(self, pid: int, **options: Any) -> Process:
        """A process that runs already: as `goprobe.attach`, and with its options."""
        return self._open.enter_context(attach(pid, **options))

    def start(
        self,
        target: str | Path,
        args: Sequence[str] = (),
        *,
        ready: str = "",
        within: float = 10.0,
        optimized: bool = True,
        go: str = "",
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdin: bytes | None = b"",
    ) -> Started:
        """Build a program as it is built for use, and let it run, without a debugger.

        `target` is a .go file, a package or a binary, `flags` are for `go build`. It is returned
        when `ready` stands in what it has written, for which it has `within` seconds. It reads
        `stdin`; None leaves that open (`started.child.stdin`). What it writes is shown with a test
        that fails.

        Raises UsageError, BuildError, NoGoError, TargetError (it ended before it was ready),
        TargetTimeoutError.
        """
        __tracebackhide__ = True
        target = str(target)
        _, built = made_of(target, go, optimized=optimized, flags=flags)
        self._count += 1
        output = self._folder / f"{built.binary.name}-{self._count}.out"
        self._open.callback(_show, output)
        started = start(
            built.binary,
            args,
            output=output,
            env=env,
            cwd=cwd,
            stdin=stdin,
            ready=ready,
            within=within,
        )
        self._open.callback(started.stop)
        return started

    def assert_location(self, thing: Value | Location | Any, kind: Kind | str) -> None:
        """That a value (or what it points at: `value.data`) lies in memory of that kind: "heap",
        "goroutine_stack", "rodata", "data", "bss" … Raises AssertionError with the evidence."""
        __tracebackhide__ = True
        wanted = _kind(kind)
        location = thing if isinstance(thing, Location) else thing.location
        name = getattr(thing, "name", "") or "it"
        if location is None:
            why = getattr(getattr(thing, "part", None), "why", "") or "it has no memory of its own"
            raise AssertionError(f"{name} lies nowhere that is {wanted}: {why}")
        if location.kind is not wanted:
            known = "".join(f"\n  {line}" for line in location.evidence)
            raise AssertionError(
                f"{name} is {location.kind}, not {wanted}: {location.name} at "
                f"{location.address}{known}"
            )

    def assert_no_leaks(self, process: Process) -> None:
        """That no goroutine of a process is blocked where nothing can wake it any more: as
        `goprobe.assert_no_leaks`."""
        __tracebackhide__ = True
        assert_no_leaks(process.pid)

    def assert_no_allocation(self, where: str, *targets: str, **options: Any) -> None:
        """That the code at `where` ("pkg.Func", "file.go:42") allocates nothing while the packages'
        tests run: as `goprobe.escape` and `goprobe.assert_no_allocation`. They are built and run
        once for all that the session asserts of them with the same options, as long as no file of
        their modules changes."""
        __tracebackhide__ = True
        assert_no_allocation(self._reports.of(targets, {"test": True, **options}), where)

    def assert_promises(self, *targets: str, **options: Any) -> None:
        """That every `//goprobe:` promise in the packages holds while their tests run, which is
        once for all that is asserted of them."""
        __tracebackhide__ = True
        assert_promises(self._reports.of(targets, {"test": True, **options}))


def _kind(kind: Kind | str) -> Kind:
    __tracebackhide__ = True
    try:
        return Kind(kind)
    except ValueError:
        raise UsageError(
            f"{kind!r} is no kind of memory; they are {', '.join(sorted(Kind))}"
        ) from None


def _show(output: Path) -> None:
    """pytest keeps what is printed, and shows it with a test that fails."""
    if output.exists() and (text := output.read_text(errors="replace")):
        sys.stdout.write(f"--- {output.stem} wrote:\n{text}")
