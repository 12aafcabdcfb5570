"""Looks at a process: each is a run of goprobe by itself, so that nothing holds the process while
one reads, and whatever ends this program leaves it unharmed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TypeVar

import msgspec
from msgspec import UNSET

from goprobe.errors import CannotWorkError, UsageError
from goprobe.files import read_regular
from goprobe.model.attached import GoroutinesReport, MapsReport
from goprobe.model.codec import from_json
from goprobe.model.escape import EscapeReport
from goprobe.model.heap import Example, HeapReport
from goprobe.model.memory import MemoryReport
from goprobe.model.report import Report, schema_of
from goprobe.model.trace import TraceReport
from goprobe.report import RenderOptions, render

R = TypeVar("R")
_MOST = 1 << 30
_KINDS: dict[str, type[Report]] = {
    "heap": HeapReport,
    "goroutines": GoroutinesReport,
    "maps": MapsReport,
    "memory": MemoryReport,
    "escape": EscapeReport,
    "trace": TraceReport,
}


class Look(msgspec.Struct, frozen=True):
    """What is known of one moment; None is what was not looked at."""

    heap: HeapReport | None = None
    goroutines: GoroutinesReport | None = None
    maps: MapsReport | None = None
    memory: MemoryReport | None = None
    escape: EscapeReport | None = None
    trace: TraceReport | None = None

    @property
    def title(self) -> str:
        looked = [r for r in (self.heap, self.goroutines, self.maps, self.memory) if r]
        if not looked:
            return "a saved report"
        report, pause = looked[0], sum(r.pause_us for r in looked) / 1000
        held = f", stood still {pause:.0f} ms" if pause else ""
        return f"{PurePath(report.program).name or 'process'} {report.pid}{held}"


class Asked:
    """A process or core: `words` are what its commands are given to find it."""

    can_look = True

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    async def look(self, told: Callable[[str], None]) -> Look:
        """Raises GoprobeError."""
        heap = await self._report(("heap", "--types", "--retained", "--sites"), HeapReport, told)
        goroutines = await self._report(("goroutines", "--stacks"), GoroutinesReport, told)
        maps = await self._report(("maps",), MapsReport, told)
        return Look(heap, goroutines, maps)

    async def of_object(self, address: int, width: int) -> str:
        """The text of an object: its value, the way to it, and who points at it."""
        at = f"{address:#x}"
        options = ("--object", at, "--path", at, "--referrers", at, "--paths", "3")
        out, _ = await self._run(("heap", *options), lambda line: None, width)
        return out.decode(errors="replace")

    async def of_goroutine(self, number: int, width: int) -> str:
        """The text of a goroutine: its stack, its variables, and what it waits on."""
        options = ("--id", str(number), "--stacks", "--locals", "--waits")
        out, _ = await self._run(("goroutines", *options), lambda line: None, width)
        return out.decode(errors="replace")

    async def _report(
        self, words: tuple[str, ...], kind: type[R], told: Callable[[str], None]
    ) -> R:
        out, code = await self._run((*words, "--json"), told, 80)
        try:
            return await asyncio.to_thread(from_json, out, kind)
        except msgspec.MsgspecError:
            raise CannotWorkError(f"goprobe {words[0]} ended with {code}") from None

    async def _run(
        self, words: tuple[str, ...], told: Callable[[str], None], width: int
    ) -> tuple[bytes, int]:
        """What goprobe says on stdout, and its exit code; `told` is what it says beside."""
        command = (sys.executable, "-P", "-m", "goprobe", words[0], *self._words, *words[1:])
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": str(width), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            (out, said) = await asyncio.gather(process.stdout.read(), _lines(process.stderr, told))
            code = await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()  # it lets the process go before it ends
            await process.wait()
            raise
        if not out:
            raise CannotWorkError("; ".join(said) or f"goprobe {words[0]} ended with {code}")
        return out, code


async def _lines(stream: asyncio.StreamReader, told: Callable[[str], None]) -> list[str]:
    """The last lines that a stream brought, each told as it came."""
    said: list[str] = []
    while line := await stream.readline():
        said = [*said[-4:], line.decode(errors="replace").strip().removeprefix("goprobe: ")]
        told(said[-1])
    return said


class Saved:
    """Reports that were written before: one file, or a folder of them."""

    can_look = False

    def __init__(self, path: Path) -> None:
        self._look = _saved(path)

    async def look(self, told: Callable[[str], None]) -> Look:
        return self._look

    async def of_object(self, address: int, width: int) -> str:
        heap = self._look.heap
        told = () if heap is None or heap.examples is UNSET else heap.examples
        example = next((e for e in told if e.address <= address < e.address + max(e.size, 1)), None)
        if heap is None or example is None:
            return (
                f"{address:#x}: this object was not saved; it can be asked for where the process, "
                "or its core, is there"
            )
        return _of_example(heap, example, width)

    async def of_goroutine(self, number: int, width: int) -> str:
        return f"goroutine {number} can be asked for where the process, or its core, is there"


def _of_example(heap: HeapReport, example: Example, width: int) -> str:
    """What the report says of an object by itself, as `goprobe heap --object` would."""
    alone = HeapReport(
        pid=heap.pid,
        go=heap.go,
        program=heap.program,
        pause_us=heap.pause_us,
        snapshot=heap.snapshot,
        self_check=heap.self_check,
        census=heap.census,
        graph=heap.graph,
        object=example.object,
        paths=(example.path,) if example.path else (),
        path_texts=(example.path_text,) if example.path else (),
        referrers=example.referrers,
    )
    return render(alone, "text", RenderOptions(width=width)).decode(errors="replace")


def _saved(path: Path) -> Look:
    """Raises UsageError where nothing there is a report that can be walked through."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    look = Look()
    for file in files:
        raw = read_regular(str(file), _MOST, what="report", pipes=True)
        for name, kind in _KINDS.items():
            with contextlib.suppress(msgspec.MsgspecError):
                report = from_json(raw, kind)
                if report.schema == schema_of(kind):
                    look = msgspec.structs.replace(look, **{name: report})
                    break
    if look == Look():
        raise UsageError(
            f"{path} holds no report that one can walk through (of {', '.join(_KINDS)})",
            hint="goprobe heap PROCESS --retained --json -o FILE writes one",
        )
    return look
