"""`goprobe report`: a folder of pages that lead to each other, and the same as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.explore.asked import Saved
from goprobe.model.codec import to_builtins
from tests.support.cli import goprobe
from tests.support.go import Running, build, matrix, running
from tests.support.schemas import hold_document

PROGRAM = """package main

import "fmt"

var kept [][]byte

func wait(c chan int) { <-c }

func main() {
	for i := 0; i < 50; i++ {
		kept = append(kept, make([]byte, 4096))
		go wait(make(chan int))
	}
	fmt.Println("ready")
	fmt.Scanln()
}
"""
DATA = {"heap.json", "goroutines.json", "maps.json", "memory.json", "report.json"}
PAGES = {"index.html", "heap.html", "goroutines.html", "maps.html"}


@pytest.fixture(scope="module", params=matrix())
def program(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(build(PROGRAM, go=request.param)) as started:
        yield started


def test_a_folder_of_pages_that_lead_to_each_other(program: Running, tmp_path: Path) -> None:
    folder = tmp_path / "incident" / "first"
    ran = goprobe("report", str(program.pid), "-o", str(folder))
    assert (ran.code, ran.out) == (0, b"")
    assert f"wrote {folder}/index.html" in ran.err
    written = {path.name for path in folder.iterdir()}
    assert written >= PAGES | DATA
    pages = {name for name in written if name.endswith(".html")}
    for page in pages:
        text = (folder / page).read_text()
        links = re.findall(
            r'<a href="([\w.]+)" class="pages-(way|here)"', text.partition("<header")[0]
        )
        assert {link for link, _ in links} == pages
        assert [link for link, here in links if here == "here"] == [page]


def test_an_address_on_one_page_leads_to_what_another_says_of_it(
    program: Running, tmp_path: Path
) -> None:
    goprobe("report", str(program.pid), "-o", str(tmp_path))
    pages = {name: (tmp_path / name).read_text() for name in PAGES}
    data = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("heap", "maps")}
    ids = {name: set(re.findall(r' id="([^"]+)"', text)) for name, text in pages.items()}
    links = {name: set(re.findall(r' href="([\w.]*#[^"]+)"', text)) for name, text in pages.items()}
    for page, its in links.items():
        for link in its:
            file, _, where = link.partition("#")
            assert where in ids[file or page], f"{page} leads to {link}"
    # A stack on the goroutines' page is a row of the map, and that leads back to the goroutine.
    stacks = {r["low"]: r for r in data["maps"]["map"] if r["kind"] == "goroutine_stack"}
    assert {f"maps.html#m{low}" for low in stacks} & links["goroutines.html"]
    assert len([link for link in links["maps.html"] if "goroutines.html#g" in link]) >= 50
    # What a region of the heap holds, and the way to it.
    told = {e["address"]: e for e in data["heap"]["examples"]}
    page = next(a for a, e in told.items() if e["object"]["type"] == "[]uint8 backing")
    assert told[page]["path_text"].startswith("main.kept[")
    assert any(f"heap.html#o{address}" in links["maps.html"] for address in told)
    assert f"#o{page}" in links["heap.html"]
    assert "maps.html#m" in pages["heap.html"]


def test_the_data_are_reports_and_say_the_same(program: Running, tmp_path: Path) -> None:
    goprobe("report", str(program.pid), "-o", str(tmp_path))
    look = Saved(tmp_path)._look
    for report in (look.heap, look.goroutines, look.maps):
        assert report is not None
        told = to_builtins(report)
        assert told["pid"] == program.pid
    for file in tmp_path.glob("*.json"):
        hold_document(json.loads(file.read_text()))
    whole = (tmp_path / "report.json").read_text()
    assert "main.kept" in whole
    assert "50 at main.wait" in whole
    index = (tmp_path / "index.html").read_text()
    assert "held by main.kept" in index


def test_wrong_usage(program: Running, tmp_path: Path) -> None:
    assert goprobe("report", str(program.pid)).code == 2
    (tmp_path / "file").write_text("")
    ran = goprobe("report", str(program.pid), "-o", str(tmp_path / "file"))
    assert (ran.code, ran.out) == (2, b"")
    assert "cannot make the folder" in ran.err


def test_nothing_is_left_where_nothing_comes_of_it(tmp_path: Path) -> None:
    for process in ("2000000000", "no-such-process", "1:1"):
        assert goprobe("report", process, "-o", str(tmp_path / "a/b")).code == 2
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    assert goprobe("report", "2000000000", "-o", str(tmp_path / "mine")).code == 2
    assert (tmp_path / "mine").is_dir()  # that was there before
