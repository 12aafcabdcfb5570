"""The terminal program itself: one table to walk in, as one walks a disk. Only this file knows
textual."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static
from textual.worker import Worker, WorkerError

from goprobe.errors import GoprobeError
from goprobe.explore.asked import Look
from goprobe.explore.entries import Entry, View, chosen, growth
from goprobe.explore.levels import Level, again, amounts, below, end, lists, middle_cut
from goprobe.explore.rows import BAR, GAP, SHARE, SIZE, row
from goprobe.explore.views import views
from goprobe.report import words

_LEAST_ROWS = 20  # and a screen of rows at a time: more come when the cursor is at the last one
_MOST_LISTS = 9
_ORDERS = ("size", "count", "name", "growth")
_NARROW = 100
_TITLES = {"bytes": "size", "time": "waits for", "": "count"}  # of others it is the unit
_EDGE, _LEAST_NAME = 2, 15
_LEAD = 3  # a mark, and whether it leads on, before each name
_HELP = """\
1 to 5     who holds the heap, types, goroutines, memory, allocation sites
enter      go in; what nothing is below is shown by itself
backspace  go out again
/          search in this list; enter keeps it, escape drops it
s          sort by size, count, name or growth
space      mark a row
o          an object: its value, the way to it, who points at it;
           a goroutine: its stack, its variables, what it waits on
r          look again (the process stands still for milliseconds),
           and tell what grew
q          quit

The process is never held while you read. Sizes are what would be free without a row."""


_SHOWN = (
    Binding("backspace,left", "out", "out", key_display="⌫"),
    Binding("slash", "search", "search", key_display="/"),
    Binding("s", "sort", "sort"),
    Binding("space,m", "mark", "mark", key_display="space"),
    Binding("o", "object", "open"),
    Binding("r", "look", "again"),
    Binding("question_mark", "explain", "help", key_display="?"),
    Binding("q", "quit", "quit"),
)
_KEYS = " ".join(
    f"[@click=app.{each.action}] [b]{each.key_display or each.key}[/b] {each.description}[/]"
    for each in _SHOWN
)


class Source(Protocol):
    """Where looks come from."""

    @property
    def can_look(self) -> bool: ...
    async def look(self, told: Callable[[str], None]) -> Look: ...
    async def of_object(self, address: int, width: int) -> str: ...
    async def of_goroutine(self, number: int, width: int) -> str: ...


class Detail(ModalScreen[None]):
    """One thing by itself; any of the keys leads back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,enter,q,o,question_mark", "dismiss", "back")
    ]
    DEFAULT_CSS = """
    Detail { align: center middle; }
    Detail VerticalScroll { width: 96%; height: 90%; border: round $primary; background: $surface; }
    """

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Text(self._title[:60]).markup
            yield Static(Text(self._text), id="told")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


class Explorer(App[None]):
    """Views, each with the lists that were gone into; a look at a time."""

    TITLE = "goprobe"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #where { height: 1; background: $primary; color: $text; }
    #lists { height: 1; }
    #state { height: 1; color: $text-muted; }
    #keys { height: 1; background: $panel; color: $text; }
    #search { display: none; height: 3; }
    #search.asked { display: block; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n + 1), f"view({n})", show=False) for n in range(_MOST_LISTS)),
        *_SHOWN,
        Binding("ctrl+c", "quit", show=False),
    ]

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self.views: list[View] = []
        self._at = 0
        self._paths: list[list[Level]] = []
        self._order = 0
        self._marked: set[str] = set()
        self._before: dict[str, int] = {}
        self._left: list[Entry] = []
        self._rows = 0
        self._grown: dict[str, int] = {}
        self._busy = False
        self._reading: Worker[None] | None = None
        self.failed: GoprobeError | None = None  # why there is nothing to see

    # What is on the screen

    def compose(self) -> ComposeResult:
        yield Static("", id="where")
        table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
        yield table
        yield Input(placeholder="search", id="search")
        yield Static("", id="lists")
        yield Static("", id="state")
        # Textual's own Footer is made anew whenever the focus moves: most of the time that the key
        # took which did that.
        yield Static(_KEYS, id="keys")

    def on_mount(self) -> None:
        self.action_look()
        if os.isatty(0):  # where it does not control us no SIGHUP says that it is gone
            self.set_interval(1, lambda: None if os.isatty(0) else self.exit())

    @property
    def table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    @property
    def level(self) -> Level | None:
        return self._paths[self._at][-1] if self._paths else None

    def _state(self, text: str) -> None:
        self.query_one("#state", Static).update(Text(text))

    def _draw(self) -> None:
        """The list that one stands in."""
        level = self.level
        if level is None:
            return
        self._grown = growth(level.entries, self._before) if self._before else {}
        self._left = chosen(level.entries, level.needle, _ORDERS[self._order], self._grown)
        self._rows = 0
        table = self.table
        table.clear(columns=True)
        # One cell a row: rich lays out each cell by itself, which was most of what a key took.
        columns = self._columns(level)
        titles = (" " * GAP).join(name[:width].ljust(width) for name, width in columns)
        table.add_column(Text(titles), width=len(titles))
        self._more_rows(level, level.cursor + 1)
        if self._rows:
            table.move_cursor(row=min(level.cursor, self._rows - 1))
        if not self.query_one("#search", Input).has_focus:  # one types on
            table.focus()
        self._where(level)

    def _more_rows(self, level: Level, least: int) -> None:
        """So that there are so many rows, and some beyond, as far as there are any."""
        wide, whole = self.size.width >= _NARROW, level.whole
        room = self._columns(level)[-1][1] - _LEAD
        upto = min(least + max(self.size.height, _LEAST_ROWS), len(self._left))
        for entry in self._left[self._rows : upto]:
            mark = "*" if entry.key in self._marked else " "
            more = self._grown.get(entry.key, 0) if self._grown else None
            self.table.add_row(row(entry, whole, room, more, mark=mark, wide=wide))
        self._rows = upto

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        at_last = event.cursor_row >= self._rows - 1
        if self.level is not None and at_last and self._rows < len(self._left):
            self._more_rows(self.level, self._rows)
        self._told_of_rows()

    def _columns(self, level: Level) -> list[tuple[str, int]]:
        """Title and cells of each; the names take what is left."""
        unit = level.entries[0].unit if level.entries else "bytes"
        columns = [(_TITLES.get(unit, unit), SIZE)]
        columns += [(level.entries[0].counts, SIZE)] if level.entries and unit == "bytes" else []
        columns += [("share", SHARE)] if self.size.width >= _NARROW else []
        columns += [("", BAR), *([("grown", BAR)] if self._grown else [])]
        taken = sum(width + GAP for _, width in columns) + GAP + _EDGE
        return [*columns, ("name", max(self.size.width - taken, _LEAST_NAME))]

    def _where(self, level: Level) -> None:
        path = " › ".join(each.title for each in self._paths[self._at])
        narrowed = f"  /{level.needle}" if level.needle else ""
        shown = end(path + narrowed, self.size.width)
        self.query_one("#where", Static).update(Text(shown, no_wrap=True))
        labels = [view.label for view in self.views]
        self.query_one("#lists", Static).update(lists(labels, self._at))
        view = self.views[self._at]
        if not level.entries:
            self._state(view.why)
            return
        self._told_of_rows()

    def _told_of_rows(self) -> None:
        """Whose name the list has no room for is told below it."""
        level, entry = self.level, self._current()
        if level is None or not level.entries:
            return
        room = self._columns(level)[-1][1] - _LEAD
        if entry is not None and len(entry.name) > room:
            self._state(middle_cut(entry.name, self.size.width))
            return
        rows = words.counted(len(self._left), "row")
        leads = "  ·  enter goes into ▸" if any(e.below for e in self._left) else ""
        self._state(f"{rows}, by {_ORDERS[self._order]}  ·  {self.title}{leads}")

    # What the keys do

    def action_view(self, number: int) -> None:
        if not 0 <= number < len(self.views):
            return
        self._forget()
        self._remember()
        self._at = number
        self._draw()

    def action_out(self) -> None:
        if self._paths and len(self._paths[self._at]) > 1:
            self._forget()
            self._paths[self._at].pop()
            self._draw()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        entry = self._current()
        if entry is None:
            return
        if entry.below is not None:
            self._forget()
            self._remember()
            self._paths[self._at].append(Level(entry.name, below(entry)))
            self._draw()
        else:
            self.action_object()

    def action_object(self) -> None:
        entry = self._current()
        if entry is None:
            return
        if (entry.goroutine and self._source.can_look) or entry.address:
            if self._busy:
                self.notify("it is looking: open this when that is done")
                return
            self._forget()
            self._reading = self.run_worker(self._show(entry))
        elif entry.text:
            self.push_screen(Detail(entry.name, entry.text))

    def action_search(self) -> None:
        box = self.query_one("#search", Input)
        box.add_class("asked")
        box.value = self.level.needle if self.level else ""
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, needle: str) -> None:
        if self.level is not None and self.level.needle != needle:
            self.level.needle, self.level.cursor = needle, 0
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.input.remove_class("asked")
        self.table.focus()

    def on_key(self, event: object) -> None:
        box = self.query_one("#search", Input)
        if getattr(event, "key", "") == "escape" and box.has_class("asked"):
            box.remove_class("asked")
            with self.prevent(Input.Changed):  # which would draw all once more, behind this
                box.value = ""
            self.table.focus()
            self._search("")

    def action_sort(self) -> None:
        self._order = (self._order + 1) % len(_ORDERS)
        self._draw()

    def action_mark(self) -> None:
        if (entry := self._current()) is not None:
            self._marked ^= {entry.key}
            self._remember()
            self._draw()

    def action_explain(self) -> None:
        self.push_screen(Detail("keys", _HELP))

    def action_look(self) -> None:
        if self.views and not self._source.can_look:
            self._state("a saved report stays as it is")
        elif not self._busy:
            self._forget()
            self.run_worker(self._look())

    def _forget(self) -> None:
        """What is read of one thing is wanted no more: one has moved on."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def action_quit(self) -> None:
        """What is being asked ends first: it lets the process go."""
        for worker in self.workers:
            worker.cancel()
        with suppress(WorkerError):
            await self.workers.wait_for_complete()
        self.exit()

    # What takes a moment

    async def _look(self) -> None:
        self._busy = True
        self._state("looking …")
        try:
            look = await self._source.look(self._state)
            made = await asyncio.to_thread(views, look)  # of ten thousand types: keys go on
        except GoprobeError as error:
            self.failed = None if self.views else error
            self._state(f"{error.message} {error.hint}".strip())
            return
        finally:
            self._busy = False
        if self.views:
            self._before = amounts(self._paths)
        else:  # a saved report may have one list alone
            self._at = min(range(len(made)), key=lambda n: (not made[n].entries, made[n].later, n))
        self._paths = again(made, self._paths)
        self.views, self.title, self.failed = made, look.title, None
        self._draw()

    async def _show(self, entry: Entry) -> None:
        """An object, or a goroutine, as it is by now."""
        self._state(f"reading {entry.name if entry.goroutine else hex(entry.address)} …")
        width = max(self.size.width - 8, 40)
        try:
            if entry.goroutine:
                text = await self._source.of_goroutine(entry.goroutine, width)
            else:
                text = f"{entry.text}\n{await self._source.of_object(entry.address, width)}"
        except GoprobeError as error:
            text = f"{error.message}\n{error.hint}"
        if self.level is not None:
            self._where(self.level)
        self.push_screen(Detail(entry.name, text.lstrip()))

    def _current(self) -> Entry | None:
        row = self.table.cursor_row
        return self._left[row] if 0 <= row < self._rows else None

    def _remember(self) -> None:
        if self.level is not None:
            self.level.cursor = max(self.table.cursor_row, 0)

    def on_resize(self) -> None:
        """Textual knows the new size when all that this event leads to is done."""
        self._remember()
        self.call_later(self._draw)
