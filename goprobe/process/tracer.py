"""Counting and inspecting calls in a Go program that runs at nearly its own speed.

`run_counted` starts a program under ptrace, patches the calls of interest to a counting
trampoline each (`trampoline.py`) before its first instruction, and looks at the first hits of
each in full: the stub itself writes down the arguments, in memory that we share; a breakpoint at
the return address (int3) stops the thread for the results, and for `on_hit`. With its hits seen,
a site's breakpoint is taken out and its stub only counts.

Why so (m, 2 cores, Go 1.27): a GDB breakpoint takes 3,600 hits a second, an int3 at the call
with one at the return half of what one alone does, and what remains for ever must not stop the
program at all. See `scripts/bench escape` for today's figures.

What is stopped when: at a hit only the thread that hit; its goroutine can neither go on nor be
preempted, so the collector cannot free what the call returned. With `hold_all`, and at checks,
all threads. A call is known again at its return by goroutine (R14) and the distance of RSP from
g.stack.hi, not by thread: goroutines move between threads, and stacks move (`inspected.py`).
The first calls to return are the ones inspected: a few that wait long keep nobody waiting.

Signals are the program's own and are passed on, but no handler ever runs with a pc in our code:
a thread inside a cave is moved out first (`_leave_cave`).

The engine runs in a thread of its own: the kernel ties tracees to the thread that traces them,
and waiting only for this thread's own (__WNOTHREAD) leaves our caller's children alone. When
that thread ends, however that happens, PTRACE_O_EXITKILL kills the program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from goprobe.errors import GoprobeError, NotPermittedError, TargetGoneError
from goprobe.process import stops, tracing
from goprobe.process.cave import Cave, Point
from goprobe.process.displaced import Call, Copy, Jump, NotDisplaceableError
from goprobe.process.inspected import Inspected
from goprobe.process.libc import address_of
from goprobe.process.memory import Memory, ProcessMemory
from goprobe.process.probes import CallHit, CallSite, ProbeHit, ProbeSite, RunOutcome
from goprobe.process.spawn import start_stopped
from goprobe.process.stops import RIP, RSP, Stop
from goprobe.process.tracees import Tracees
from goprobe.process.trampoline import Place

__all__ = ["CallHit", "CallSite", "ProbeHit", "ProbeSite", "RunOutcome", "run_counted"]

OnHit = Callable[[CallHit, Memory], None]
OnProbe = Callable[[ProbeHit, Memory], None]
OnMemory = Callable[[Memory], None]

_OPTIONS = (
    stops.O_TRACEFORK
    | stops.O_TRACEVFORK
    | stops.O_TRACECLONE
    | stops.O_TRACEEXEC
    | stops.O_TRACEEXIT
    | stops.O_EXITKILL
)
_RECORDED = (stops.RAX, stops.RBX, stops.RCX, stops.RDI, stops.RSI, stops.R8, stops.R9,
             stops.R10, stops.R11, stops.RDX, stops.RBP, stops.RSP, stops.R14)  # fmt: skip
_RESULTS = (stops.RAX, stops.RBX, stops.RCX, stops.RDI, stops.RSI,
            stops.R8, stops.R9, stops.R10, stops.R11)  # fmt: skip
_STACK_HI = 8  # of runtime.g, see trampoline.py
_SYS_EXIT, _SYS_EXIT_GROUP = 60, 231
_MOST_STRAYS = 50
_NOTICE, _GRACE = 0.3, 2.0
_RECORD_LIMIT = 1 << 16


class _Engine:
    """One run. All of it but `stop` and `kill` belongs to one thread."""

    def __init__(
        self,
        binary: str,
        args: Sequence[str],
        cave: Cave,
        *,
        on_hit: OnHit | None,
        on_probe: OnProbe | None,
        on_check: OnMemory | None,
        on_end: OnMemory | None,
        check_every: int,
        hold_all: bool,
        launch: Mapping[str, object],
    ) -> None:
        self._binary, self._args, self._launch = binary, args, launch
        self._cave = cave
        self._inspected = Inspected(cave)
        self._on_hit, self._on_probe = on_hit, on_probe
        self._on_check, self._on_end = on_check, on_end
        self._check_every, self._hold_all = check_every, hold_all
        self._room = bytearray(27 * 8)
        self._room_at = address_of(self._room)
        self._words: stops.Words = memoryview(self._room).cast("Q")
        self._pidfd = -1
        self._mem = -1
        self._stop_why = ""
        self._why = ""
        self._ended: Stop | None = None
        self._patched = True  # until it execs
        self._halted = False
        self._replays: set[tuple[int, int, int]] = set()
        self._hits: list[CallHit] = []
        self._probes: list[ProbeHit] = []
        self._probe_counts: dict[int, int] = {}
        self._stops = self._moved = 0
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
            files = (self._pidfd, self._mem)
            self._pidfd = self._mem = -1
            for file in files:
                if file >= 0:
                    os.close(file)
            self.finished.set()

    def _follow(self) -> None:
        try:
            while self._ended is None:
                self._handle(self._tracees.next())
        except ChildProcessError:
            # Only where our caller ignores SIGCHLD, or waits for any child in another thread.
            raise TargetGoneError("the program ended, but not before goprobe's eyes") from None

    def _start(self) -> None:
        os.set_inheritable(self._cave.file, True)
        try:
            self.pid = start_stopped(self._binary, self._args, **self._launch)  # type: ignore[arg-type]
        finally:
            os.set_inheritable(self._cave.file, False)
        self._tracees = Tracees(self.pid)
        self._pidfd = os.pidfd_open(self.pid)
        if number := tracing.seize(self.pid):
            raise NotPermittedError(f"the kernel forbids tracing: {os.strerror(number)}")
        self._await_begin()
        self._mem = os.open(f"/proc/{self.pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self.memory = ProcessMemory(self.pid)
        self._fetch(self.pid)
        self._cave.install(self.pid, self._words, self._mem, self._binary)
        self._tracees.go_on(self.pid)

    def _await_begin(self) -> None:
        """Out of the SIGSTOP that the program waits in, without an instruction of it run."""
        stop = stops.wait_any(self.pid)
        tracing.request(tracing.PTRACE_SETOPTIONS, self.pid, None, _OPTIONS)
        self._signal(signal.SIGCONT)
        held = []
        while stop and not stop.over and (stop.event or stop.signal != signal.SIGCONT):
            if not stop.event and stop.signal != signal.SIGSTOP:
                held.append(stop.signal)
            tracing.request(tracing.PTRACE_CONT, self.pid)
            stop = stops.wait_any(self.pid)
        if stop is None or stop.over:
            raise TargetGoneError("the program was killed before it began")
        for number in held:
            self._signal(number)

    def _clear_up(self) -> None:
        """After an error: nothing of the program may stay."""
        if self._pidfd < 0:
            return
        self.kill()
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
            tracing.interrupt(tid)
            with contextlib.suppress(ChildProcessError):
                if (stop := stops.wait_any(tid)) and not stop.over:
                    tracing.detach(tid, 0 if stop.event else stop.signal)

    def _handle(self, stop: Stop) -> None:
        tid = stop.tid
        self._tracees.woke(tid)
        if stop.over:
            self._over(stop)
        elif self._stop_why and not self._halted and tid in self._tracees.own:
            self._halt(stop)
        elif stop.event:
            self._event(stop)
        elif stop.signal == signal.SIGTRAP:
            self._trapped(tid)
        else:
            self._leave_cave(tid)
            self._tracees.go_on(tid, stop.signal)

    def _over(self, stop: Stop) -> None:
        self._tracees.forget(stop.tid)
        if stop.tid == self.pid:
            self._ended = stop

    def _halt(self, stop: Stop) -> None:
        """The caller wants an end: look at the memory once more, then kill."""
        self._halted = True
        self._why = self._stop_why
        held = self._tracees.hold(stop.tid)
        self._call_end()
        self.kill()
        self._tracees.release([*held, stop.tid])

    # Events

    def _event(self, stop: Stop) -> None:
        tid, event = stop.tid, stop.event
        if event == stops.EVENT_STOP:
            self._stopped(stop)
        elif event in (stops.EVENT_FORK, stops.EVENT_VFORK, stops.EVENT_CLONE):
            self._has_born(tid)
        elif event == stops.EVENT_EXIT:
            self._leaves(tid)
        elif event == stops.EVENT_EXEC:
            self._execs(tid)
        else:
            self._tracees.go_on(tid)

    def _stopped(self, stop: Stop) -> None:
        tid = stop.tid
        if tid not in self._tracees.own and tid not in self._tracees.guests:
            self._born(tid)
        elif stop.signal != signal.SIGTRAP:
            self._tracees.rest(tid)
        else:
            self._tracees.go_on(tid)

    def _has_born(self, tid: int) -> None:
        """A thread or child was made: meet it at once, so that it is known before it ends."""
        child = self._message(tid)
        if child and not self._tracees.knows(child):
            with contextlib.suppress(ChildProcessError):
                stop = stops.wait_any(child)
                if stop and not stop.over:
                    self._born(child)
        self._tracees.go_on(tid)

    def _born(self, tid: int) -> None:
        """A thread of the program runs on; a child does so untraced and unpatched, though one
        that borrows the program's memory (vfork) only after its exec."""
        try:
            owner = stops.process_of(tid)
        except GoprobeError:
            return
        if owner == self.pid:
            self._tracees.own.add(tid)
        elif self._patched and self._restored(tid):
            self._tracees.guests.add(tid)
        else:
            tracing.detach(tid)
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
        killed = self._message(tid) & 0x7F
        call = self._words[stops.ORIG_RAX] if self._fetch(tid) else _SYS_EXIT_GROUP
        tracees.leaving.add(tid)
        if call == _SYS_EXIT and not killed and tracees.own - tracees.leaving:
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
            tracing.detach(tid)
            return
        self._patched = False
        self._tracees.only(tid)
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{tid}/exe").readlink()
            self._why = f"it replaced itself by {name} (exec), which was not followed"
        self._why = self._why or "it replaced itself by another program (exec)"
        self._tracees.go_on(tid)

    def _call_end(self) -> None:
        if self._on_end is None or not self._patched:
            return
        self._tell(self._on_end, self.memory)

    def _tell(self, callback: Callable[..., None], *what: object) -> None:
        try:
            callback(*what)
        except TargetGoneError:
            self._why = self._why or "it was killed while goprobe looked at it"

    # Breakpoints

    def _trapped(self, tid: int) -> None:
        if not self._fetch(tid):
            return
        at = self._words[RIP] - 1
        point = self._cave.points.get(at) if self._patched else None
        if point is not None:
            if tid in self._tracees.own:
                self._inspect(tid, point)
            self._pass(tid, point)
        elif self._patched and self._cave.layout.in_stub(at):
            self._trapped_in_stub(tid, at)
        else:
            self._tracees.go_on(tid, signal.SIGTRAP)

    def _trapped_in_stub(self, tid: int, at: int) -> None:
        layout = self._cave.layout
        number = layout.site_of(at)
        if at != layout.enter(number) + layout.stub.trap:
            self._check(tid, number)
            return
        self._stops += 1
        point = self._cave.returns[number]
        if point.returning:
            point.strays = 0
            self._cave.insert(point)
            self._go_to(tid, layout.enter(number) + layout.stub.record)
        else:
            self._go_to(tid, layout.enter(number) + layout.stub.count)

    def _inspect(self, tid: int, point: Point) -> None:
        self._stops += 1
        held = self._tracees.hold(tid) if self._hold_all else []
        if point.probe_left and not self._is_replay(point):
            self._probe(tid, point)
        wanted = point.probe_left > 0
        if point.returning:
            self._returned(tid, point)
            wanted |= point.returning and (
                not point.on_demand or self._inspected.running(point.site)
            )
        if not wanted:
            self._cave.extract(point)
        self._tracees.release(held)

    def _is_replay(self, point: Point) -> bool:
        """Whether this stop was looked at before, and then put off by a signal."""
        key = (point.address, self._words[stops.R14], self._words[RSP])
        seen = key in self._replays
        self._replays.discard(key)
        return seen

    def _probe(self, tid: int, point: Point) -> None:
        point.probe_left -= 1
        values = {name: self._words[index] for name, index in stops.GENERAL.items()}
        values["rip"] = point.address
        index = self._cave.inspect - point.probe_left - 1
        hit = ProbeHit(self._cave.probes[point.probe], index, tid, values)
        if self._on_probe is not None:
            self._tell(self._on_probe, hit, self.memory)
        else:
            self._probes.append(hit)

    def _returned(self, tid: int, point: Point) -> None:
        words = self._words
        g, sp = words[stops.R14], words[RSP]
        high = self._word(g + _STACK_HI)
        results = tuple([words[register] for register in _RESULTS])
        hit = self._inspected.returned(point.site, g, results, sp, high, tid)
        if hit is None:
            self._stray(point)
            return
        if self._inspected.finished(point.site):
            point.returning = False
            self._cave.only_count(point.site)
        if self._on_hit is not None:
            self._tell(self._on_hit, hit, self.memory)
        else:
            self._hits.append(hit)

    def _stray(self, point: Point) -> None:
        """Somebody came to a return address who does not return there: it is a branch target."""
        point.strays += 1
        if point.on_demand and point.strays > _MOST_STRAYS:
            self._inspected.give_up(point.site)
        elif point.strays > _MOST_STRAYS:
            point.on_demand, point.strays = True, 0
            self._cave.trap_calls(point.site)

    def _pass(self, tid: int, point: Point) -> None:
        """Let a thread run on past a breakpoint that has stopped it."""
        target = point.address
        if point.inserted:
            try:
                action = self._cave.action(point)
            except NotDisplaceableError:
                self._cave.give_up(point)
            else:
                if isinstance(action, Copy):
                    target = action.slot
                elif isinstance(action, Jump):
                    target = action.target
                else:
                    self._call_by_hand(tid, action)
                    return
        self._go_to(tid, target)

    def _call_by_hand(self, tid: int, action: Call) -> None:
        words = self._words
        target = action.target(words)
        words[RIP] = self._word(action.operand(words)) if target is None else target
        words[RSP] -= 8
        with contextlib.suppress(OSError):  # killed meanwhile
            os.pwrite(self._mem, action.back.to_bytes(8, "little"), words[RSP])
        self._store(tid)
        self._tracees.go_on(tid)

    def _check(self, tid: int, number: int) -> None:
        """The countdown to the next sweep is used up; the call goes on afterwards."""
        if self._cave.countdown <= 0:
            self._stops += 1
            held = self._tracees.hold(tid)
            if self._on_check is not None:
                self._tell(self._on_check, self.memory)
            self._cave.countdown = self._check_every
            self._tracees.release(held)
        self._go_to(tid, self._cave.callees[number])

    # Out of the caves

    def _leave_cave(self, tid: int) -> None:
        """A thread is about to take a signal: if it is in a cave, move it where the program
        could be without us."""
        if not self._patched or not self._fetch(tid):
            return
        words, layout = self._words, self._cave.layout
        pc = words[RIP]
        if layout.in_stub(pc):
            self._leave_stub(layout.site_of(pc), layout.place(pc))
        elif layout.in_slot(pc):
            action = self._cave.point_of_slot(pc).action
            if isinstance(action, Copy):
                words[RIP] = action.original(pc)
                self._remember(words[RIP])
        else:
            return
        self._moved += 1
        self._store(tid)

    def _remember(self, address: int) -> None:
        """A probe here has been seen: it will stop again, perhaps on another thread."""
        point = self._cave.points.get(address)
        if point is not None and point.probe_left:
            self._replays.add((address, self._words[stops.R14], self._words[RSP]))

    def _leave_stub(self, number: int, place: Place) -> None:
        words, cave = self._words, self._cave
        claim = words[stops.R13]
        if place is Place.STORED:
            claim = cave.claim_at(words[stops.R12])
        if place is Place.NOTHING:
            words[RIP] = cave.sites[number].pc + cave.bias
            words[RSP] += 8
            self._remember(words[RIP])
            return
        if place is not Place.COUNTED:
            values = [words[register] for register in _RECORDED]
            values.append(self._word(words[stops.R14] + _STACK_HI))
            cave.complete_record(number, claim, values)
            cave.add_uncounted(number)
        words[RIP] = cave.callees[number]

    # Registers and words of a thread that stands still

    def _fetch(self, tid: int) -> bool:
        return tracing.request(tracing.PTRACE_GETREGS, tid, None, self._room_at) == 0

    def _store(self, tid: int) -> None:
        tracing.request(tracing.PTRACE_SETREGS, tid, None, self._room_at)

    def _go_to(self, tid: int, pc: int) -> None:
        tracing.request(stops.PTRACE_POKEUSER, tid, RIP * 8, pc)
        self._tracees.go_on(tid)

    def _message(self, tid: int) -> int:
        """What the kernel says besides an event: the new task, the exit status."""
        message = bytearray(8)
        tracing.request(tracing.PTRACE_GETEVENTMSG, tid, None, address_of(message))
        return int.from_bytes(message, "little")

    def _word(self, address: int) -> int:
        try:
            return int.from_bytes(os.pread(self._mem, 8, address), "little")
        except (OSError, OverflowError):
            return 0

    # Afterwards

    def outcome(self) -> RunOutcome:
        counts: dict[int, int] = {}
        for number, site in enumerate(self._cave.sites):
            counts[site.site_id] = counts.get(site.site_id, 0) + self._cave.count(number)
        ended = self._ended
        assert ended is not None
        return RunOutcome(
            pid=self.pid,
            bias=self._cave.bias,
            counts=counts,
            hits=(*self._hits, *self._inspected.remaining()),
            probes=tuple(self._probes),
            exit_code=ended.code,
            signal=ended.signal,
            partial=bool(self._why),
            why=self._why,
            stops=self._stops,
            moved=self._moved,
        )


def run_counted(
    binary: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    sites: Sequence[CallSite],
    probes: Sequence[ProbeSite] = (),
    inspect: int = 32,
    on_hit: OnHit | None = None,
    on_probe: OnProbe | None = None,
    on_end: OnMemory | None = None,
    check_every: int = 0,
    on_check: OnMemory | None = None,
    hold_all: bool = False,
    timeout: float | None = None,
    stdin: int = 0,
    stdout: int = 1,
    stderr: int = 2,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    randomize: bool = False,
) -> RunOutcome:
    """Run `binary` to its end, counting `sites` and inspecting the first `inspect` hits of each.

    `on_hit` is called at the return of each inspected call and `on_probe` at each inspected
    execution of a probe, the thread held (all of them with `hold_all`); without them the hits
    are in the outcome, where calls that never returned are in any case. `on_check` is called
    with everything held each `check_every` hits of whatever site; `on_end` once, with every
    thread at its end and memory still there (not after an exec, nor if SIGKILL came from
    outside). All are called in the tracing thread; what they raise ends the run and is raised
    here. They get target addresses: link-time ones plus the outcome's `bias`.

    After `timeout` seconds, or Ctrl-C, the program is killed and the outcome is `partial`.
    The program gets the three descriptors and our environment or `env`; children that it starts
    run on by themselves, untraced, and outlive it as they would.

    Raises UsageError (no such program; the sites are not in it), NotPermittedError,
    CannotWorkError, TargetGoneError (killed before it began), ValueError (nonsense asked for).
    """
    if not 0 <= inspect <= _RECORD_LIMIT or check_every < 0:
        raise ValueError("inspect and check_every are counts")
    cave = Cave(sites, probes, inspect, check_every)
    launch = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "cwd": cwd, "env": env,
              "randomize": randomize}  # fmt: skip
    engine = _Engine(
        os.fspath(binary),
        args,
        cave,
        on_hit=on_hit,
        on_probe=on_probe,
        on_check=on_check,
        on_end=on_end,
        check_every=check_every,
        hold_all=hold_all,
        launch=launch,
    )
    try:
        _supervise(engine, timeout)
        if engine.error is not None:
            raise engine.error
        return engine.outcome()
    finally:
        cave.close()


def _supervise(engine: _Engine, timeout: float | None) -> None:
    """Run the engine in its thread, and end the run where time or the user's patience is up."""
    thread = threading.Thread(target=engine.run, name="goprobe-tracer")
    thread.start()
    try:
        if not engine.finished.wait(timeout):
            _end(engine, f"it still ran after {timeout:g} s and was ended")
    except KeyboardInterrupt:
        _end(engine, "it was interrupted")
    finally:
        engine.kill()
        thread.join()


def _end(engine: _Engine, why: str) -> None:
    engine.stop(why)
    if not engine.finished.wait(_NOTICE) and not engine.stopping:
        engine.wake()
        engine.finished.wait(_GRACE)
    if engine.stopping:
        engine.finished.wait()
