"""`goprobe report`: one folder of linked pages for one look at a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec.structs import replace

from goprobe.cli.declare import Option
from goprobe.cli.options import Process
from goprobe.errors import GoprobeError, UsageError

if TYPE_CHECKING:
    from goprobe.model.folder import FolderPage
    from goprobe.model.report import Report
    from goprobe.report.places import Places
    from goprobe.target.live import AnyTarget

_FIRST = "index.html"


class ReportFolder:
    name = "report"
    takes_program_args = False

    def run(
        self,
        *,
        process: Process,
        folder: Annotated[
            str, Option("-o", "--output", metavar="DIR", help="The folder; it is made.")
        ],
    ) -> int:
        """Write a folder of pages on a Go process: heap, goroutines, memory, with data beside them.

        PROCESS is a process number or name (goprobe help processes), or a core file. index.html is
        the page to begin with; goprobe explore DIR walks through the same. Files of such a report
        that are in DIR already are replaced, others are let be.
        """
        from goprobe.analysis.audit import finished
        from goprobe.cli.attach import ended, opened
        from goprobe.cli.progress import Progress
        from goprobe.cli.run import say
        from goprobe.model.folder import FolderReport
        from goprobe.process.ptrace.priority import import_numpy
        from goprobe.report.places import places_of

        with _made(folder) as place:
            import_numpy()
            with Progress() as progress:
                progress(f"reading {process.process}")
                target = opened(process)
                looked = [_look(name, ask, target, progress) for name, ask in _QUESTIONS.items()]
        pages = tuple(_page(name, made) for name, made in looked)
        links = ((_FIRST, "overview"), *((p.page, p.name) for p in pages if p.page))
        shown = {
            page.page: made
            for (_, made), page in zip(looked, pages, strict=True)
            if page.page and not isinstance(made, GoprobeError)
        }
        places = places_of(shown)
        for (_, made), page in zip(looked, pages, strict=True):
            if isinstance(made, GoprobeError):
                continue
            _write(place / page.data, made, "json")
            if page.page:
                _write(place / page.page, made, "html", links, places)
        whole = finished(
            FolderReport(
                **target.process.head,
                pause_us=sum(getattr(made, "pause_us", 0) for _, made in looked),
                pages=pages,
            ),
            (),
        )
        _write(place / _FIRST, whole, "html", links, places)
        _write(place / "report.json", whole, "json")
        say(f"goprobe: wrote {place / _FIRST}, with data of what it leads to beside it")
        failed = next((m for _, m in looked if isinstance(m, GoprobeError)), None)
        return ended(target, failed.exit_code if failed else 0)


@contextmanager
def _made(folder: str) -> Iterator[Path]:
    """The folder; what was made for it goes again where nothing comes of it."""
    place = Path(folder)
    new = [each for each in (place, *place.parents) if not each.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from None
    try:
        yield place
    except BaseException:
        with suppress(OSError):  # somebody else has put something there by now
            for each in new:
                each.rmdir()
        raise


_Told = Callable[[str], None]


def _heap(target: AnyTarget, progress: _Told) -> Report:
    from goprobe.analysis.heap.questions import HeapQuestions
    from goprobe.analysis.heapasked import heap_asked, why_no_waste

    why = why_no_waste(target)
    asked = HeapQuestions(
        types=True, retained=True, unreachable=True, sites=True, waste=not why, examples=True
    )
    report = heap_asked(target, asked, progress=progress, profile=True)
    return replace(report, warnings=(*report.warnings, why)) if why else report


def _goroutines(target: AnyTarget, progress: _Told) -> Report:
    """With what they wait on; where that cannot be told, without."""
    from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of
    from goprobe.errors import CannotWorkError

    progress("reading the goroutines")
    asked = GoroutineQuestions(stacks=True, waits=True)
    try:
        return goroutines_of(target, asked, progress=progress)
    except CannotWorkError:
        return goroutines_of(target, msgspec.structs.replace(asked, waits=False), progress=progress)


def _maps(target: AnyTarget, progress: _Told) -> Report:
    from goprobe.analysis.locate.maps import maps

    progress("reading the memory map")
    return maps(target)


def _memory(target: AnyTarget, progress: _Told) -> Report:
    from goprobe.analysis.memory.memory import memory

    progress("adding up its memory")
    return memory(target)


_QUESTIONS: dict[str, Callable[[AnyTarget, _Told], Report]] = {
    "heap": _heap,
    "goroutines": _goroutines,
    "maps": _maps,
    "memory": _memory,
}


def _look(
    name: str, ask: Callable[[AnyTarget, _Told], Report], target: AnyTarget, progress: _Told
) -> tuple[str, Report | GoprobeError]:
    """The report, or why there is none: the others are worth having by themselves."""
    from goprobe.errors import TargetGoneError

    try:
        return name, ask(target, progress)
    except TargetGoneError:
        raise
    except GoprobeError as error:
        return name, error


def _page(name: str, made: Report | GoprobeError) -> FolderPage:
    from goprobe.model.folder import FolderPage
    from goprobe.report import handles

    if isinstance(made, GoprobeError):
        return FolderPage(name, "", "", f"could not be told: {made.message}")
    drawn = handles(type(made), "html")
    return FolderPage(name, f"{name}.html" if drawn else "", f"{name}.json", _says(made))


def _says(report: Report) -> str:
    """The answer in a sentence."""
    from msgspec import UNSET

    from goprobe.model.attached import GoroutinesReport, MapsReport
    from goprobe.model.heap import HeapReport
    from goprobe.model.memory import MemoryReport
    from goprobe.report import words

    match report:
        case HeapReport():
            objects = words.counted(report.census.objects, "object")
            told = f"{objects}, {words.size(report.census.bytes)}"
            if report.tree is not UNSET and report.tree:
                first = report.tree[0]
                by = first.what.lstrip("*").removeprefix("held by ")
                told += f"; {words.size(first.retained_bytes)} held by {by}"
            return told
        case GoroutinesReport():
            count = words.counted(len(report.goroutines), "goroutine")
            most = report.groups[0] if report.groups else None
            at = next((f.function for f in most.frames if f.own), "") if most else ""
            return f"{count}; {most.count} at {at}" if most and at else count
        case MemoryReport():
            return report.verdict
        case MapsReport() if report.rss is not UNSET:
            return (
                f"{words.size(report.rss)} resident in {words.counted(len(report.map), 'region')}"
            )
    return ""


def _write(
    path: Path,
    report: Report,
    form: str,
    pages: tuple[tuple[str, str], ...] = (),
    places: Places | None = None,
) -> None:
    from goprobe.cli.output import file_writer
    from goprobe.report import RenderOptions, render

    here = tuple((file, name, file == path.name) for file, name in pages)
    seen = places.seen_from(path.name) if places else None
    file_writer(path)(render(report, form, RenderOptions(pages=here, places=seen)))
