"""Pages in a real browser: they show all, load nothing, and obey nobody but the reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import UnsetType
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from goprobe.model.attached import LeakSummary
from goprobe.model.heap import Example
from goprobe.model.value import Element, Value
from goprobe.report import RenderOptions, formats, render
from goprobe.report.glossary import GLOSSARY
from goprobe.report.html.examples import example_views
from tests.report.pages import (
    HOSTILE,
    PAGES,
    SHOWN,
    distinct_goroutines,
    escape,
    goroutines,
    heap,
    many_regions,
    many_sites,
    many_types,
    moving,
    trace,
)
from tests.support.browser import Browser, browser

_LOADS = re.compile(r"""(?:src|href|action)="(?!#|data:,)|@import|url\(""", re.I)
_KINDS = tuple(PAGES)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _page(folder: Path, report: object) -> Path:
    path = folder / "page.html"
    path.write_bytes(render(report, "html", RenderOptions()))
    return path


@pytest.mark.parametrize("kind", _KINDS)
def test_page_is_one_file_that_loads_nothing(kind: str) -> None:
    report = PAGES[kind]()
    assert "html" in formats(type(report))
    text = render(report, "html", RenderOptions()).decode()
    markup = text[: text.index("<style>")] + text[text.index("</style>") : text.rindex("<script>")]
    assert not _LOADS.search(markup)
    assert "default-src 'none'" in text


def test_an_objects_long_way_says_what_is_left_out_and_strings_in_it_are_go_literals() -> None:
    (example,) = example_views([_long_example()], None)
    assert [step.name for step in example.steps[11:14]] == ["step 11", "… 6 more", "step 18"]
    assert len(example.steps) == 25 and example.steps[-1].name == "step 29"
    assert example.value == r'motto string "a \"b\" c"'


def _long_example() -> Example:
    examples = heap().examples
    assert not isinstance(examples, UnsetType)
    (whole,) = examples
    way = tuple(msgspec.structs.replace(whole.path[1], name=f"step {i}") for i in range(30))
    text = Value('a "b" c', len=7)  # values' texts are escaped, but for quotes
    part = Element(name="motto", type="string", value=text)
    view = msgspec.structs.replace(whole.object, elements=(part,))
    return msgspec.structs.replace(whole, path=way, object=view)


@pytest.mark.parametrize("kind", _KINDS)
def test_hostile_text_stays_text_in_the_markup(kind: str) -> None:
    text = render(PAGES[kind](HOSTILE), "html", RenderOptions()).decode()
    assert text.lower().count("<script") == 1
    assert "<img" not in text
    assert "&lt;script&gt;window.pwned=1" in text
    assert "\u2028" not in text


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1600, False)])
@pytest.mark.parametrize("kind", _KINDS)
def test_page_in_a_browser(
    window: Browser, tmp_path: Path, kind: str, width: int, dark: bool
) -> None:
    window.complaints()
    window.asked_for()
    window.open(_page(tmp_path, PAGES[kind](HOSTILE)), width=width, dark=dark)
    assert window.ask("return document.documentElement.scrollWidth") <= width
    assert window.ask("return window.pwned") is None
    assert window.faults() == []
    assert SHOWN in window.text()
    assert window.complaints() == []
    assert window.asked_for() == []


@pytest.mark.parametrize("kind", _KINDS)
def test_page_without_a_script_says_as_much(window: Browser, tmp_path: Path, kind: str) -> None:
    page = _page(tmp_path, PAGES[kind](HOSTILE))
    window.open(page, script=False)
    plain = window.text()
    shown = window.ask("return [...document.querySelectorAll('.js')].filter(e => !e.hidden).length")
    assert shown == 0
    assert SHOWN in plain
    window.open(page)
    for told in window.ask(
        "return [...document.querySelectorAll('main h3, main th, main dd')].map(e => e.innerText)"
    ):
        assert told.strip() in plain


@pytest.mark.races("a browser lays out and animates in its own time")
def test_the_header_points_at_its_bytes(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, trace()))
    shown = "document.querySelectorAll('.stop:not([hidden]) .item b')"
    labels = f"return [...{shown}].map(e => e.innerText)"
    assert '"Hello, Go!"' in window.ask(labels)
    assert "msg" in window.ask(labels)
    assert window.ask("return document.querySelectorAll('.stop:not([hidden]) .arrow').length") >= 1


def test_stops_are_walked_with_the_arrow_keys(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, moving(5)), still=False)
    stop = "return [...document.querySelectorAll('.stop:not([hidden])')].map(e => e.id)"
    assert window.ask(stop) == ["stop-1"]
    ActionChains(window.driver).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    assert window.ask(stop) == ["stop-3"]
    told = window.ask("return document.getElementById('live').textContent")
    assert "Stop 3 of 5" in told and "has moved from" in told
    ActionChains(window.driver).send_keys(Keys.ARROW_LEFT).perform()
    assert window.ask(stop) == ["stop-2"]
    window.ask("document.getElementById('all').click()")
    assert len(window.ask(stop)) == 5


def test_a_stack_that_has_moved_since_is_drawn_as_the_stack_it_was(
    window: Browser, tmp_path: Path
) -> None:
    window.open(_page(tmp_path, moving(2)), script=False)
    boxes = (
        "return [...document.querySelectorAll('.box.inside b:first-child')].map(e => e.innerText)"
    )
    named = [text for text in window.ask(boxes) if "goroutine" in text]
    assert named == ["stack of goroutine 1", "stack of goroutine 1"]


@pytest.mark.races("a browser lays out and animates in its own time")
def test_motion_only_for_readers_who_want_it(window: Browser, tmp_path: Path) -> None:
    page = _page(tmp_path, moving(2))
    for still in (True, False):
        window.open(page, still=still)
        window.ask("document.querySelector('[data-step=\"1\"]').click()")
        moves = window.ask("return document.getAnimations().length")
        assert (moves == 0) is still


def test_evidence_is_shown_where_an_address_has_the_focus(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, trace()))
    window.ask("document.querySelector('.stop:not([hidden]) a.addr').focus()")
    assert "section .rodata of hello" in window.ask(
        "return document.getElementById('pop').innerText"
    )
    ActionChains(window.driver).send_keys(Keys.ESCAPE).perform()
    assert window.ask("return document.getElementById('pop').hidden")


def test_sites_are_filtered_and_searched(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, escape()))
    left = "return document.querySelectorAll('.site[data-verdict]:not([hidden])').length"
    every = window.ask(left)
    window.ask("document.querySelector('.filter input').click()")
    _wait(window, f"{left} == {every - 1}")
    window.ask("document.querySelector('.filter input').click()")
    window.driver.find_element("id", "q").send_keys("contradicted")
    _wait(window, f"{left} == 1")


def _wait(window: Browser, condition: str) -> None:
    window.driver.set_script_timeout(20)
    held = window.driver.execute_async_script(
        "const done = arguments[0], holds = () => { " + condition + " };"
        "const look = () => holds() ? done(true) : setTimeout(look, 20); look();"
    )
    assert held


def test_a_group_of_the_heap_is_gone_into_and_left(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, heap()))
    wide = "return document.querySelector('.zoomed')?.getBoundingClientRect().width || 0"
    window.ask("document.querySelector('.gname').click()")
    whole = window.ask("return document.getElementById('treemap').getBoundingClientRect().width")
    assert window.ask(wide) == whole
    ActionChains(window.driver).send_keys(Keys.ESCAPE).perform()
    assert window.ask(wide) == 0


def test_what_holds_the_heap_stands_first(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, heap()))
    titles = window.ask("return [...document.querySelectorAll('h2')].map(e => e.innerText)")
    assert titles[0] == "What holds it"
    assert "What lives and serves nobody" in titles
    wasted = window.ask("return document.querySelector('[aria-labelledby=h-waste]').innerText")
    assert "main.Node, main.page.body" in wasted
    kept = window.ask("return document.querySelector('.tree').innerText")
    assert "main.cache" in kept
    assert "0xc000010000" in kept
    told = window.ask(
        "return [...document.querySelectorAll('abbr')].map(e => [e.innerText, e.title])"
    )
    assert told
    assert all(GLOSSARY[word.lower().replace("classes", "class")] == said for word, said in told)


def test_an_address_leads_to_the_object_by_itself(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, heap()))
    told = "return document.getElementById('o0xc000010000')"
    assert not window.ask(f"{told}.open")
    window.ask("document.querySelector('.tree a.addr').click()")
    _wait(window, f"{told}.open")
    assert "main.cache.head" in window.ask(f"{told}.innerText")
    assert "and 8 more" in window.ask(f"{told}.innerText")
    # A place in the treemap leads there, too.
    tiles = window.ask(
        "return [...document.querySelectorAll('a.tile')].map(e => e.getAttribute('href'))"
    )
    assert tiles == ["#o0xc000010000"]


def test_of_a_core_the_page_names_it_where_it_says_what_to_type() -> None:
    for pause_us, process in ((1500, "7"), (0, "CORE --exe BINARY")):
        report = msgspec.structs.replace(heap(), pause_us=pause_us)
        text = render(report, "html", RenderOptions()).decode()
        assert f"<code>goprobe heap {process} --object ADDRESS --path ADDRESS</code>" in text


def test_the_heaps_page_says_that_no_goroutine_is_leaked_where_only_that_was_asked() -> None:
    none = msgspec.structs.replace(heap(), leaks=LeakSummary(12, 0, 1, 0, 0, 0))
    for tree, told in ((msgspec.UNSET, True), (none.tree, False)):
        report = msgspec.structs.replace(none, tree=tree)
        text = render(report, "html", RenderOptions()).decode()
        answer = "<p>No goroutine is leaked of 12 goroutines that only others could wake.</p>"
        assert (answer in text) is told
        assert "<p>Of 1 goroutine it cannot be told whether it can ever run again.</p>" in text


def test_the_goroutines_say_since_when_and_by_whom(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, goroutines()))
    told = window.ask("return document.querySelector('.claim').innerText")
    assert "for 7 s to 4 min" in told
    assert "created by main.work" in told


@pytest.mark.races("how soon a browser paints is the machine's doing, too")
def test_ten_thousand_rows_are_painted_at_once(window: Browser, tmp_path: Path) -> None:
    taken: dict[str, float] = {}
    for make in (goroutines, distinct_goroutines, many_regions, many_types, many_sites):
        page = _page(tmp_path, make(count=10_000))
        for _ in range(3):
            window.open(page)
            taken[make.__name__] = min(taken.get(make.__name__, 9.0), window.painted())
    assert {name: seconds for name, seconds in taken.items() if seconds > 0.3} == {}


@pytest.mark.parametrize(
    ("make", "count", "most"),
    [(goroutines, 10_000, 5), (distinct_goroutines, 2_500, 12), (many_regions, 10_000, 4),
     (many_types, 500, 12), (many_sites, 2_000, 8)],
    ids=["goroutines", "stacks", "regions", "types", "sites"],
)  # fmt: skip
def test_a_large_page_prints_what_is_open(
    window: Browser, tmp_path: Path, make: Callable[..., object], count: int, most: int
) -> None:
    window.open(_page(tmp_path, make(count=count)))
    assert window.sheets() <= most
    assert window.faults() == []


def test_what_is_folded_is_found(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, goroutines(count=10_000)))
    assert not window.ask("return document.querySelector('details.each').open")
    window.driver.find_element("id", "q").send_keys("4999")
    _wait(window, "return document.querySelector('details.each').open")


def test_the_reader_chooses_light_or_dark(window: Browser, tmp_path: Path) -> None:
    window.open(_page(tmp_path, trace()))
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = window.ask(ground)
    for _ in range(2):
        window.ask("document.getElementById('theme').click()")
    assert window.ask(ground) != light
    window.ask("document.getElementById('theme').click()")
    assert window.ask(ground) == light


def test_much_is_laid_out_only_where_it_is_seen(window: Browser, tmp_path: Path) -> None:
    many = render(many_sites(5000), "html", RenderOptions())
    assert many.count(b'class="site ') == 5000
    assert len(many) < 8 << 20
    for report, what in ((many_sites(5000), ".block"), (moving(200), ".stop")):
        window.open(_page(tmp_path, report))
        used = window.ask(
            f"return getComputedStyle(document.querySelector('{what}')).contentVisibility"
        )
        assert used == "auto"


def test_source_is_shown_with_its_line_marked(window: Browser, tmp_path: Path) -> None:
    file = tmp_path / "hello.go"
    file.write_text("package main\n\nfunc main() {\n\tprintln(`<b>`)\n}\n")
    stop = msgspec.structs.replace(trace().stops[1], file=str(file), line=4)
    report = msgspec.structs.replace(trace(), stops=(stop,))
    window.open(_page(tmp_path, report))
    marked = window.ask("return document.querySelector('.line.here code').innerText")
    assert marked.strip() == "println(`<b>`)"


def test_what_is_no_source_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a word that nobody shall see\n")
    (tmp_path / "link.go").symlink_to(secret)
    for name in ("secret.txt", "link.go", "", "missing.go"):
        stop = msgspec.structs.replace(trace().stops[1], file=str(tmp_path / name), line=1)
        report = msgspec.structs.replace(trace(), stops=(stop,))
        assert b"nobody shall see" not in render(report, "html", RenderOptions())
