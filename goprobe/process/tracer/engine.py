"""One counted run: the program from its first instruction to its end, and all that it starts.

Signals are the program's own and are passed on. The engine runs in a thread of its own: the
kernel ties tracees to the thread that traces them, and waiting only for this thread's own
(__WNOTHREAD) leaves our caller's children alone. When that thread ends, however that happens,
PTRACE_O_EXITKILL kills the program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from goprobe.arch import systemcalls
from goprobe.errors import GoprobeError, NotPermittedError, TargetGoneError
from goprobe.process.libc import address_of
from goprobe.process.ptrace import constants, requests
from goprobe.process.spawn import start_stopped
from goprobe.process.tracer import waits
from goprobe.process.tracer.cave import Cave
from goprobe.process.tracer.events import RunOutcome
from goprobe.process.tracer.listeners import Listeners
from goprobe.process.tracer.threadregs import Machine
from goprobe.process.tracer.tracees import Tracees
from goprobe.process.tracer.traps import Traps
from goprobe.process.tracer.waits import WaitEvent

_OPTIONS = (
    constants.PTRACE_O_TRACEFORK
    | constants.PTRACE_O_TRACEVFORK
    | constants.PTRACE_O_TRACECLONE
    | constants.PTRACE_O_TRACEEXEC
    | constants.PTRACE_O_TRACEEXIT
    | constants.PTRACE_O_EXITKILL
)


class Engine:
    """One run. All of it but `stop`, `wake` and `kill` belongs to one thread."""

    def __init__(
        self,
        binary: str,
        args: Sequence[str],
        cave: Cave,
        listeners: Listeners,
        *,
        check_every: int,
        hold_all: bool,
        launch: Mapping[str, object],
    ) -> None:
        self._binary, self._args, self._launch = binary, args, launch
        self._cave, self._listeners = cave, listeners
        self._check_every, self._stop_all = check_every, hold_all
        self._machine: Machine | None = None
        self._pidfd = -1
        self._stop_why = ""
        self._why = ""
        self._ended: WaitEvent | None = None
        self._patched = True  # until it execs
        self._halted = False
        self.error: BaseException | None = None
        self.finished = threading.Event()

    # For other threads

    def stop(self, why: str) -> None:
        """Ask for the run to be ended, whatever the program does, and say why."""
        self._stop_why = self._stop_why or why
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Make a program that is itself stopped (Ctrl-Z) notice `stop`."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    @property
    def stopping(self) -> bool:
        """It has heard of `stop`."""
        return self._halted

    def _signal(self, number: int) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, number)

    # The run

    def run(self) -> None:
        """To the program's end. What goes wrong is kept in `error`; nothing stays behind."""
        try:
            self._start()
            self._follow()
        except BaseException as error:  # carried over to the caller's thread
            self.error = error
            self._clear_up()
        finally:
            self._dismiss_guests()
            pidfd, self._pidfd = self._pidfd, -1
            if pidfd >= 0:
                os.close(pidfd)
            if self._machine is not None:
                self._machine.close()
            self.finished.set()

    def _follow(self) -> None:
        try:
            while self._ended is None:
                self._handle(self._tracees.next())
        except ChildProcessError:
            # Only where our caller ignores SIGCHLD, or waits for any child in another thread.
            raise TargetGoneError("the program ended, but not before goprobe's eyes") from None

    def _start(self) -> None:
        # The program maps the counters' memory from this descriptor, and closes it, before it runs
        # (Cave._map).
        os.set_inheritable(self._cave.file, True)
        try:
            self.pid = start_stopped(self._binary, self._args, **self._launch)  # type: ignore[arg-type]
        finally:
            os.set_inheritable(self._cave.file, False)
        self._tracees = Tracees(self.pid)
        self._pidfd = os.pidfd_open(self.pid)
        if number := requests.seize(self.pid):
            raise NotPermittedError(f"the kernel forbids tracing: {os.strerror(number)}")
        self._await_begin()
        self._machine = machine = Machine(self.pid)
        self._traps = Traps(
            self._cave,
            machine,
            self._tracees,
            self._listeners,
            check_every=self._check_every,
            hold_all=self._stop_all,
        )
        machine.fetch(self.pid)
        self._cave.install(self.pid, machine.words, machine.file, self._binary)
        self._tracees.go_on(self.pid)

    def _await_begin(self) -> None:
        """Out of the SIGSTOP that the program waits in, without an instruction of it run."""
        # Signals that came meanwhile are the program's own: kept, and sent again.
        stop = waits.wait_any(self.pid)
        requests.request(constants.PTRACE_SETOPTIONS, self.pid, None, _OPTIONS)
        self._signal(signal.SIGCONT)
        signals = []
        while stop and not stop.over and (stop.event or stop.signal != signal.SIGCONT):
            if not stop.event and stop.signal != signal.SIGSTOP:
                signals.append(stop.signal)
            requests.request(constants.PTRACE_CONT, self.pid)
            stop = waits.wait_any(self.pid)
        if stop is None or stop.over:
            raise TargetGoneError("the program was killed before it began")
        for number in signals:
            self._signal(number)

    def _clear_up(self) -> None:
        """After an error: nothing of the program may stay."""
        if self._pidfd < 0:
            return
        self.kill()
        # One that stands at its own end is not ended by a kill (man 2 ptrace, PTRACE_EVENT_EXIT).
        self._tracees.release(sorted(self._tracees.own))
        with contextlib.suppress(ChildProcessError):
            while True:
                stop = self._tracees.next()
                if stop.over and stop.tid == self.pid:
                    return
                if not stop.over:
                    self._tracees.go_on(stop.tid)

    def _dismiss_guests(self) -> None:
        """Let go of children that still run in the memory of a program that has ended."""
        if self._pidfd < 0:
            return
        for tid in self._tracees.guests:
            requests.interrupt(tid)
            with contextlib.suppress(ChildProcessError):
                if (stop := waits.wait_any(tid)) and not stop.over:
                    requests.detach(tid, 0 if stop.event else stop.signal)

    def _handle(self, stop: WaitEvent) -> None:
        tid = stop.tid
        self._tracees.woke(tid)
        if stop.over:
            self._over(stop)
        elif self._stop_why and not self._halted and tid in self._tracees.own:
            self._halt(stop)
        elif stop.event:
            self._event(stop)
        elif not self._patched:  # another program by now: each trap is its own
            self._tracees.go_on(tid, stop.signal)
        elif stop.signal == signal.SIGTRAP:
            self._traps.trapped(tid)
        else:
            self._traps.leave_cave(tid)
            self._tracees.go_on(tid, stop.signal)

    def _over(self, stop: WaitEvent) -> None:
        self._tracees.forget(stop.tid)
        if stop.tid == self.pid:
            self._ended = stop

    def _halt(self, stop: WaitEvent) -> None:
        """The caller wants an end: look at the memory once more, then kill."""
        self._halted = True
        self._why = self._stop_why
        others = self._tracees.stop_others(stop.tid)
        self._call_end()
        self.kill()
        self._tracees.release([*others, stop.tid])

    # Events

    def _event(self, stop: WaitEvent) -> None:
        tid, event = stop.tid, stop.event
        if event == constants.PTRACE_EVENT_STOP:
            self._stopped(stop)
        elif event in (
            constants.PTRACE_EVENT_FORK,
            constants.PTRACE_EVENT_VFORK,
            constants.PTRACE_EVENT_CLONE,
        ):
            self._has_born(tid)
        elif event == constants.PTRACE_EVENT_EXIT:
            self._leaves(tid)
        elif event == constants.PTRACE_EVENT_EXEC:
            self._execs(tid)
        else:
            self._tracees.go_on(tid)

    def _stopped(self, stop: WaitEvent) -> None:
        tid = stop.tid
        if tid not in self._tracees.own and tid not in self._tracees.guests:
            self._born(tid)
        elif stop.signal != signal.SIGTRAP:
            self._tracees.rest(tid)
        else:
            self._tracees.go_on(tid)

    def _has_born(self, tid: int) -> None:
        """A thread or child was made: meet it at once, so that it is known before it ends."""
        # Its own first stop may be told before or after this event: man 2 ptrace promises no order.
        child = self._message(tid)
        if child and not self._tracees.knows(child):
            with contextlib.suppress(ChildProcessError):
                stop = waits.wait_any(child)
                if stop and not stop.over:
                    self._born(child)
        self._tracees.go_on(tid)

    def _born(self, tid: int) -> None:
        """A thread of the program runs on; a child does so untraced and unpatched, though one
        that borrows the program's memory (vfork) only after its exec."""
        try:
            owner = waits.process_of(tid)
        except GoprobeError:
            return
        if owner == self.pid:
            self._tracees.own.add(tid)
        elif self._patched and self._restored(tid):
            self._tracees.guests.add(tid)
        else:
            requests.detach(tid)
            return
        self._tracees.go_on(tid)

    def _restored(self, tid: int) -> bool:
        """Put a child's own code back; True where that would be the program's too."""
        with contextlib.suppress(OSError), open(f"/proc/{tid}/mem", "r+b", buffering=0) as file:
            if self._cave.shared_by(file.fileno()):
                return True
            self._cave.restore(file.fileno())
        return False

    def _leaves(self, tid: int) -> None:
        """A thread is at its end, memory still there: the first of all, or only this one?"""
        tracees = self._tracees
        if self._halted or not self._patched or tid not in tracees.own:
            tracees.go_on(tid)
            return
        killed = self._message(tid) & 0x7F  # WTERMSIG of its exit status, <bits/waitstatus.h>
        machine = self._machine
        assert machine is not None
        # One thread ends by exit, all of them by exit_group.
        call = systemcalls.current(machine.words) if machine.fetch(tid) else systemcalls.EXIT_GROUP
        tracees.leaving.add(tid)
        if call == systemcalls.EXIT and not killed and tracees.own - tracees.leaving:
            # The first thread is kept: the memory of a process is read through it.
            if tid != self.pid:
                tracees.leaving.discard(tid)
                tracees.go_on(tid)
            return
        if tracees.gather():
            self._call_end()
        tracees.let_leave()

    def _execs(self, tid: int) -> None:
        if tid != self.pid:
            self._tracees.guests.discard(tid)
            requests.detach(tid)
            return
        self._patched = False
        self._tracees.only(tid)
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{tid}/exe").readlink()
            self._why = f"it replaced itself by {name} (exec), which was not followed"
        self._why = self._why or "it replaced itself by another program (exec)"
        self._tracees.go_on(tid)

    def _call_end(self) -> None:
        if self._patched and self._machine is not None:
            self._traps.read_notes()
            self._listeners.end(self._machine.memory)

    def _message(self, tid: int) -> int:
        """What the kernel says besides an event: the new task, the exit status."""
        message = bytearray(8)
        requests.request(constants.PTRACE_GETEVENTMSG, tid, None, address_of(message))
        return int.from_bytes(message, "little")

    # Afterwards

    def outcome(self) -> RunOutcome:
        counts: dict[int, int] = {}
        for number, site in enumerate(self._cave.sites):
            counts[site.site_id] = counts.get(site.site_id, 0) + self._cave.count(number)
        ended = self._ended
        assert ended is not None
        why = self._why or self._listeners.why
        remaining = self._traps.remaining() if self._listeners.on_hit is None else ()
        return RunOutcome(
            pid=self.pid,
            bias=self._cave.bias,
            counts=counts,
            made=self._cave.made(),
            hits=(*self._listeners.hits, *remaining),
            probes=tuple(self._listeners.probes),
            ran=self._cave.ran() | self._traps.ran,
            counted=self._cave.counted(),
            exit_code=ended.code,
            signal=ended.signal,
            partial=bool(why),
            why=why,
            stops=self._traps.stops,
            moved=self._traps.moved,
        )
