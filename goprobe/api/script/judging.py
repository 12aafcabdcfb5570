"""How a stop is to be taken where something is watched: as a write to that, as one that is of no
interest, as what it is; and which other threads wrote in the same instant."""

from __future__ import annotations

from msgspec.structs import replace

from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.sourcelines import SourceLines
from goprobe.api.script.watched import Notice
from goprobe.api.script.watches import Watches, writer_at
from goprobe.api.script.wholewrites import whole_write
from goprobe.arch.registers import PC
from goprobe.model.calls import CallFrame
from goprobe.process.gdb.mi import StopEvent


class Judge:
    """Of one session, and its watches. `wrote`: the stop is right behind a write to watched
    bytes; `writer` did it, where the thread has gone on since to write the rest."""

    def __init__(self, session: Session, lines: SourceLines) -> None:
        self._session, self._lines = session, lines
        self.watches = Watches(session)
        self.wrote = False
        self.writer: CallFrame | None = None
        self._notice: Notice | None = None
        self._writers: list[tuple[Notice, int]] = []
        self._writing = 0  # the goroutine that wrote before them
        self._others: list[tuple[Notice, int]] = []  # of other watches, by the same write

    def judged(self, event: StopEvent, view: StopView) -> tuple[StopEvent, StopView]:
        """The event as it is to be taken: as a step that ended where the stop was for the sake of
        the watches alone, as a watchpoint's where one has something to tell; and where the thread
        stands by now."""
        notice, *others = self.watches.look(view, event) or (None,)
        self.wrote, self.writer = event.kind == "watchpoint", None
        self._writers, self._writing = [], 0
        self._others = [(other, view.tid) for other in others]
        self._notice = notice if notice and notice.own else None
        if notice:
            second = self.watches.second(notice.number)
            self._writers = [(second, tid) for tid in notice.writers]
            if not notice.own:
                self._writers[0] = (notice, notice.writers[0])
        if self._notice:
            self._writing = view.goroutine.id if view.goroutine else 0
            event, view = self._whole(self._notice, event, view)
            told = event if self._session.where_of(event) else replace(event, kind="watchpoint")
            return told, view
        if self.watches.is_ours(event) and not self._session.where_of(event):
            return StopEvent("step", event.thread, event.pc), view
        return event, view

    def _whole(
        self, notice: Notice, event: StopEvent, view: StopView
    ) -> tuple[StopEvent, StopView]:
        """Of a header that was written in part, once the rest of it is written, too."""
        if not notice.partly or notice.writers or not self.wrote:
            return event, view
        watches, memory = self.watches, self._session.memory
        assert memory is not None
        self.writer = writer_at(view)  # before it goes on
        went = whole_write(
            self._session, self._lines, view, lambda: watches.is_whole(notice.number, memory)
        )
        if went is not None and went.over:
            return event, view  # somebody has ended it; whoever asks for more will see
        view = self._session.view(view.tid)
        others = [other for other, _ in self._others]
        self._notice, *others = watches.completed(view, (notice, *others))
        self._others = [(other, view.tid) for other in others]
        if went is not None and self._session.where_of(went):
            return went, view
        return replace(event, pc=view.registers[PC]), view

    def second(self) -> tuple[StopEvent, StopView] | None:
        """The next watch that the same write was one to, or the next of the threads that wrote in
        the same instant."""
        self.writer = None
        if self._others:
            self._notice, tid = self._others.pop(0)
            view = self._session.view(tid)
            return StopEvent("watchpoint", tid, view.registers[PC]), view
        while self._writers:
            notice, tid = self._writers.pop(0)
            if tid in self._session.threads():
                view = self._session.view(tid)
                if view.goroutine is not None and view.goroutine.id == self._writing:
                    continue  # GDB knows of a write before: no goroutine runs on two threads
                self._notice = notice
                self.wrote = True
                return StopEvent("watchpoint", tid, view.registers[PC]), view
        return None

    def forget(self) -> None:
        """The program goes on: what was not asked for is told no more."""
        self._writers, self._others, self._notice = [], [], None

    def taken(self) -> Notice | None:
        """What is to be told of a watch at the stop, once."""
        notice, self._notice = self._notice, None
        return notice
