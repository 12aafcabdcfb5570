"""`goprobe explore` under textual's pilot: a real process, its core, and reports of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from msgspec import UNSET
from msgspec.structs import replace

pytest.importorskip("textual")

from textual.pilot import Pilot

from goprobe.errors import UsageError
from goprobe.explore.app import Explorer
from goprobe.explore.asked import Asked, Look, Saved
from goprobe.explore.entries import Entry, amounts_of, bar, chosen, growth
from goprobe.explore.levels import end
from goprobe.explore.rows import grown
from goprobe.explore.views import _kept, _sites, views
from goprobe.model.address import Address
from goprobe.model.codec import from_json, to_json
from goprobe.model.heap import HeapReport, TreeNode, TypeCount
from goprobe.model.sites import Site, SiteFrame
from tests.report.pages import goroutines, heap, many_sites, of_memory
from tests.report.samples import hello
from tests.support.cli import goprobe
from tests.support.gdb import write_core
from tests.support.go import Running, build, running

PROGRAM = """package main

import (
	"fmt"
)

type Session struct {
	ID      string
	Payload []byte
}

var sessions = map[string]*Session{}
var pages [][]byte

func fill(n int) {
	for i := 0; i < n; i++ {
		id := fmt.Sprintf("s%05d", len(sessions))
		sessions[id] = &Session{ID: id, Payload: make([]byte, 2048)}
	}
}

func waiter(c chan int) { <-c }

func main() {
	fill(500)
	for i := 0; i < 40; i++ {
		pages = append(pages, make([]byte, 8192))
		go waiter(make(chan int))
	}
	fmt.Println("ready")
	for {
		var n int
		if _, err := fmt.Scanln(&n); err != nil {
			return
		}
		fill(n)
		fmt.Println("filled")
	}
}
"""

Play = Callable[[Explorer, Pilot[None]], Awaitable[None]]
_PATIENCE = 60.0
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with running(build(PROGRAM)) as started:
        yield started


@pytest.fixture(scope="module")
def saved(program: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    pid = str(program.pid)
    goprobe("heap", pid, "--types", "--retained", "-o", f"json={folder / 'heap.json'}")
    goprobe("goroutines", pid, "--stacks", "-o", f"json={folder / 'goroutines.json'}")
    goprobe("maps", pid, "-o", f"json={folder / 'maps.json'}")
    return folder


def played(source: Asked | Saved, play: Play, width: int = 80) -> None:
    async def run() -> None:
        app = Explorer(source)
        async with app.run_test(size=(width, 24)) as pilot:
            await until(pilot, lambda: bool(app.views))
            await play(app, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        await pilot.pause(0.05)
    await pilot.pause()


def screen(app: Explorer) -> list[str]:
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def rows(app: Explorer) -> list[str]:
    return [line for line in screen(app)[2:-3] if line.strip(" ▁▂▃▄▅▆▇█▏▎▍▌▋▊▉")]


@pytest.mark.parametrize("width", [80, 120])
def test_one_walks_from_roots_to_a_value(program: Running, width: int) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await pilot.pause()
        shown = screen(app)
        assert len(shown) == 24
        assert max(map(len, shown)) <= width
        assert ("share" in shown[1]) == (width == 120)
        first = rows(app)[0]
        assert "main.sessions" in first
        assert "MiB" in first
        await pilot.press("enter")
        await pilot.pause()
        assert screen(app)[0].startswith("Held by › main.sessions")
        assert "map[string]*main.Session" in rows(app)[0]
        await pilot.press("enter")
        await pilot.pause()
        assert "main.Session" in "\n".join(rows(app))
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert "main.sessions" in rows(app)[0]
        await pilot.press("2", "slash", *"session")
        await pilot.press("enter")
        await pilot.pause()
        assert app._left
        assert all("session" in entry.name.lower() for entry in app._left)
        assert "map[string]*main.Session" in "\n".join(rows(app))
        while "main.Session" not in (app._left[app.table.cursor_row].name).split("*")[0]:
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        told = "\n".join(screen(app))
        assert "ID string" in told
        assert "main.Session" in told
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1

    played(Asked((str(program.pid),)), play, width)


def test_another_look_tells_what_grew(program: Running) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        program.say("300")
        assert program.read_line() == "filled"
        before = app._left[0]
        await pilot.press("r")
        await until(pilot, lambda: not app._busy and app._left[0].amount > before.amount)
        assert "grown" in screen(app)[1]
        assert "+" in rows(app)[0]
        grown = app._left[0].amount - before.amount
        assert grown >= 300 * 2048

    played(Asked((str(program.pid),)), play)


def test_goroutines_and_memory_are_there(program: Running) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await pilot.pause()
        assert "main.waiter" in rows(app)[0]
        await pilot.press("o")
        await pilot.pause()
        assert "40 goroutines" in "\n".join(screen(app))
        await pilot.press("escape", "enter")
        await pilot.pause()
        assert len(app._left) == 40
        assert "goroutine" in rows(app)[0]
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        told = "\n".join(screen(app))
        assert "main.waiter" in told
        assert "c  chan int" in told
        assert "receive from channel" in told
        await pilot.press("escape")
        await pilot.press("4")
        await pilot.pause()
        assert any("heap" in line for line in rows(app))
        await pilot.press("5")
        await pilot.pause()
        if app.views[4].entries:
            assert rows(app)
        else:
            assert app.views[4].why in screen(app)[-2]
        await pilot.press("s", "question_mark")
        await pilot.pause()
        assert "look again" in "\n".join(screen(app))

    played(Asked((str(program.pid),)), play)


def test_saved_reports_are_walked_through_alike(saved: Path) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        assert "main.sessions" in rows(app)[0]
        assert all(view.entries for view in app.views[:4])
        assert app.views[4].why == "this was not saved"
        await pilot.press("r")
        await pilot.pause()
        assert "stays as it is" in screen(app)[-2]

    played(Saved(saved), play)


def test_of_a_saved_report_objects_are_told_that_it_tells_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "heap.json").write_bytes(to_json(heap()))
    source = Saved(tmp_path)
    told = asyncio.run(source.of_object(0xC000010008, 80))
    assert "0xc000010000: main.Node" in told
    assert "main.cache.head" in told
    assert "next" in told
    assert "was not saved" in asyncio.run(source.of_object(0xC000010030, 80))


def test_one_saved_report_leaves_the_others_out(saved: Path, tmp_path: Path) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await pilot.pause()
        assert "not saved" in screen(app)[-2]

    played(Saved(saved / "heap.json"), play)
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "goprobe.doctor/1"}')
    with pytest.raises(UsageError, match="holds no report that one can walk through"):
        Saved(wrong)


def test_a_saved_report_of_any_kind_begins_with_what_it_has(tmp_path: Path) -> None:
    """Alone it begins with its own list; each leads down to what is told of one thing."""
    leads = {
        "memory": (of_memory(), "Memory", "for Go heap", "Go heap"),
        "escape": (many_sites(20_000), "Escape", "contradicted", "what happened"),
        "trace": (hello(), "Stops", "stop 1: main.main", "Hello, Go!"),
        "goroutines": (goroutines(), "Goroutines", "main.work", "main.work"),
    }
    for name, (report, title, first, told) in leads.items():
        file = tmp_path / f"{name}.json"
        file.write_bytes(to_json(report))

        async def play(  # type: ignore[no-untyped-def]
            app: Explorer, pilot: Pilot[None], title=title, first=first, told=told
        ) -> None:
            assert screen(app)[0] == title
            assert any(first in line for line in rows(app))
            await pilot.press("ctrl+home", "enter")
            await pilot.pause()
            assert screen(app)[0].startswith((f"{title} › ", "…"))
            await pilot.press("enter")
            await until(pilot, lambda: len(app.screen_stack) > 1)
            assert told in "\n".join(screen(app))

        played(Saved(file), play)


def test_one_sees_where_one_is_and_who_has_a_long_name() -> None:
    path = "Held by › held by several: 6 goroutines › server.stream › server.memStore"
    assert end(path, 80) == path
    assert end(path, 30) == "…rver.stream › server.memStore"
    names = [f"github.com/nats-io/nats-server/v2/server.T{i:030}Store" for i in range(2)]
    kinds = [TypeCount(type=name, objects=1, bytes=48) for name in names]
    file = HERE / "saved/heap.json"
    report = replace(from_json(file.read_bytes(), HeapReport), types=tuple(kinds))
    listed = views(Look(heap=report))[1].entries
    assert [e.name for e in listed] == [
        n.removeprefix("github.com/nats-io/nats-server/v2/") for n in names
    ]


def test_what_cannot_be_looked_at_is_said(program: Running) -> None:
    async def run() -> None:
        app = Explorer(Asked(("4194305",)))
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.failed is not None)  # told again when one has left
            assert "4194305" in screen(app)[-2]

    asyncio.run(run())


def test_a_pipe_is_no_terminal(program: Running) -> None:
    ran = goprobe("explore", str(program.pid))
    assert (ran.code, ran.out) == (2, b"")
    assert "needs a terminal" in ran.err


def test_lists_are_searched_and_sorted(saved: Path) -> None:
    report = asyncio.run(Saved(saved).look(print)).heap
    assert isinstance(report, HeapReport)
    types = views(Look(heap=report))[1].entries
    by_name = chosen(types, "", "name", {})
    assert [e.name for e in by_name] == sorted(e.name for e in types)
    assert [e.amount for e in chosen(types, "", "size", {})] == sorted(
        (e.amount for e in types), reverse=True
    )
    assert chosen(types, "", "growth", {types[-1].key: 7})[0] is types[-1]
    told = [grown(n, unit)[0] for n, unit in ((2048, "bytes"), (-3, ""), (90_000_000, "time"))]
    assert told == ["+2 KiB", "-3", "+90 s"]
    assert bar(0, 100) == "░" * 10
    assert bar(1, 1000)[0] == "█"


def test_what_one_waits_on_is_told_as_everywhere() -> None:
    [group] = views(Look(goroutines=goroutines()))[2].entries
    assert group.below is not None
    for told in (group.text, group.below()[0].text):
        assert "waits on: mutex 0x5a3520 main.work" in told
        assert "may be locked by goroutine 1: main.work" in told


SCREENS = {
    "held": (),
    "held-below": ("enter", "enter"),
    "types": ("2",),
    "goroutines": ("3",),
    "goroutines-below": ("3", "enter"),
    "one-goroutine": ("3", "enter", "enter"),
    "memory": ("4",),
    "sites": ("5",),
    "found": ("2", "slash", "m", "a", "i", "n", "enter"),
    "keys": ("question_mark",),
}


@pytest.mark.parametrize("width", [80, 120])
def test_the_screens_are_as_they_were_looked_at(width: int) -> None:
    """Of reports that stay the same. Where a screen is to change, delete its file, run this, and
    look at what it wrote."""
    shown: dict[str, str] = {}

    for name, keys in SCREENS.items():

        async def play(app: Explorer, pilot: Pilot[None], name=name, keys=keys) -> None:  # type: ignore[no-untyped-def]
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            await until(pilot, lambda: "q quit" in screen(app)[-1])
            shown[name] = "\n".join(screen(app)) + "\n"

        played(Saved(HERE / "saved"), play, width)
    missing = []
    for name, text in shown.items():
        file = HERE / "screens" / f"{name}-{width}.txt"
        if not file.exists():
            file.write_text(text, encoding="utf-8")
            missing.append(file.name)
        assert text == file.read_text(encoding="utf-8"), file.name
    assert not missing, "written anew: look at them"


def test_a_key_takes_hardly_longer_however_much_there_is_to_show(tmp_path: Path) -> None:
    """With more to show than a heap of a million objects has: 20,000 types, 20,000 things that one
    root keeps; beside 100 of them, on the same machine at the same time."""
    few, many = _took(tmp_path, 100), _took(tmp_path, 20_000)
    assert all(many[key] < 3 * few[key] + 0.05 for key in many), (few, many)


def _took(tmp_path: Path, count: int) -> dict[str, float]:
    """Seconds of the processor for each key."""
    report = from_json((HERE / "saved/heap.json").read_bytes(), HeapReport)
    assert report.tree is not UNSET
    kind, row = report.types[0], report.tree[0]
    types = tuple(
        replace(kind, type=f"main.T{i}", objects=i, bytes=i * 48, retained_bytes=i * 48)
        for i in range(count)
    )
    below = tuple(
        replace(row, what=f"main.x[{i}]", retained_bytes=i, children=()) for i in range(count)
    )
    large = replace(report, types=types, tree=(replace(row, children=below), *report.tree[1:]))
    (tmp_path / "heap.json").write_bytes(to_json(large))
    took: dict[str, float] = {}

    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        for key in 3 * ("down", "2", "s", "s", "down", "pagedown", "slash", "7", "escape", "1"):
            began = time.process_time()
            await pilot.press(key)
            await pilot.pause()
            took[key] = min(took.get(key, 9.0), time.process_time() - began)
        await pilot.press("s", "s", "ctrl+home", "enter")  # by size, again
        await pilot.pause()
        await pilot.press("ctrl+end")
        await pilot.pause()
        assert len(app._left) == count
        if count > 1000:
            assert app._rows > app.table.cursor_row + 1  # more came

    played(Saved(tmp_path / "heap.json"), play, 120)
    return took


@pytest.fixture(scope="module")
def core(program: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("core") / "core"
    write_core(program.pid, file)
    return file


def test_a_core_is_walked_through_alike(core: Path, program: Running) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        assert "main.sessions" in rows(app)[0]
        await pilot.press("enter", "o")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        assert "map[string]*main.Session" in "\n".join(screen(app))
        await pilot.press("escape", "3", "enter", "enter")
        await until(pilot, lambda: len(app.screen_stack) > 1)
        assert "c  chan int" in "\n".join(screen(app))
        await pilot.press("escape")

    binary = Path(f"/proc/{program.pid}/exe").readlink()
    played(Asked((str(core), "--exe", str(binary))), play)
    core.unlink()


def test_who_leaves_while_it_looks_leaves_nothing_behind(program: Running) -> None:
    async def run() -> None:
        app = Explorer(Asked((str(program.pid),)))
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: bool(_children()))
            await pilot.press("q")
        assert not _children()

    asyncio.run(run())


def _children() -> list[str]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_bytes().decode() for child in children]
    return [line for line in lines if "goprobe" in line and "heap" in line]


def test_sites_of_one_line_are_told_apart_by_their_callers() -> None:
    def site(*functions: str) -> Site:
        stack = tuple(
            SiteFrame(function=f"main.{f}", file="/m/main.go", line=7, pc=Address(0))
            for f in functions
        )
        return Site(
            stack=stack, sizes=(), inuse_objects=1, inuse_bytes=1, alloc_objects=1, alloc_bytes=1,
            now_objects=1, now_bytes=1,
        )  # fmt: skip

    sites = (site("a", "b", "c"), site("a", "b", "d"), site("a", "e"), site("f", "b"))
    told = [entry.name for entry in _sites(str, replace(heap(), sites=sites))]
    apart = [
        "main.a ← main.c  main.go:7",
        "main.a ← main.d  main.go:7",
        "main.a ← main.e  main.go:7",
    ]
    assert told == [*apart, "main.f  main.go:7"]


@pytest.mark.parametrize("first", [(30, 10), (80, 24)])
def test_rows_are_laid_out_again_when_the_window_grows(
    program: Running, first: tuple[int, int]
) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        drawn = []
        for size in ((160, 40), first, (160, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            drawn.append(rows(app)[:5])
            assert ("share" in screen(app)[1]) == (size[0] == 160), size
        assert drawn[0] == drawn[2] != drawn[1]

    played(Asked((str(program.pid),)), play)


def _shared(key: str, amount: int, shared: str) -> Entry:
    return Entry(key=key, name=key, amount=amount, count=1, shared=shared)


def test_what_is_of_another_set_of_holders_now_has_not_grown() -> None:
    then = [_shared("/m0 and allp", 27, "/"), _shared("/allgs and allp", 17, "/")]
    before = amounts_of([*then, _shared("/main.m", 100, "")])
    now = [_shared("/allgs and allp", 43, "/"), _shared("/main.m", 150, "")]
    assert growth(now, before) == {"/": -1, "/allgs and allp": 0, "/main.m": 50}
    more = [_shared("/allgs and allp", 17, "/"), _shared("/m0, allgs and allp", 127, "/")]
    assert growth(more, before) == {"/": 100, "/allgs and allp": 0, "/m0, allgs and allp": 100}


def test_rows_of_several_holders_say_that_they_share() -> None:
    row = TreeNode(
        what="held by several: a and b",
        kind="several",
        address=Address(1),
        objects=1,
        bytes=8,
        retained_objects=1,
        retained_bytes=8,
    )
    alone = replace(row, what="main.m", kind="type")
    made = [_kept(str, each, "/above") for each in (row, alone)]
    assert [each.shared for each in made] == ["/above/", ""]
