"""Counting and inspecting calls in a Go program that runs at nearly its own speed.

`run_counted` starts a program under ptrace, patches the calls of interest to a counting
trampoline each (`arch/amd64/stub.py`) before its first instruction, and looks at the first hits of
each in full: the stub itself writes down the arguments, in memory that we share; a breakpoint at
the return address (int3) stops the thread for the results, and for `on_hit`. With its hits seen,
a site's breakpoint is taken out and its stub only counts.

Why so (m, 2 cores, Go 1.27): a GDB breakpoint takes 3,600 hits a second, an int3 at the call
with one at the return half of what one alone does, and what remains for ever must not stop the
program at all. See `scripts/bench escape` for today's figures.

The parts: `engine.py` follows the program from its start to its end, `traps.py` does what is to be
done at a breakpoint, `cave.py` and the stubs are the code beside the program's own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping, Sequence

from goprobe.process.tracer.armed import KeptArmed
from goprobe.process.tracer.cave import Cave
from goprobe.process.tracer.engine import Engine
from goprobe.process.tracer.events import CallHit, CountedCall, ProbeHit, ProbeSite, RunOutcome
from goprobe.process.tracer.ledger import AllocatorCalls, Made
from goprobe.process.tracer.limits import MOST_INSPECTED
from goprobe.process.tracer.listeners import Listeners, OnHit, OnMemory, OnProbe

__all__ = [
    "AllocatorCalls",
    "CallHit",
    "CountedCall",
    "Made",
    "ProbeHit",
    "ProbeSite",
    "RunOutcome",
    "run_counted",
]

_NOTICE, _GRACE = 0.3, 2.0  # seconds: to hear of the end, and to get there


def run_counted(
    binary: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    sites: Sequence[CountedCall],
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
    allocator: AllocatorCalls | None = None,
    sweeps: Collection[tuple[int, int]] = (),
    kept: KeptArmed | None = None,
) -> RunOutcome:
    """Run `binary` to its end, counting `sites` and inspecting the first `inspect` hits of each.

    `on_hit` is called at the return of each inspected call and `on_probe` at each inspected
    execution of a probe, the thread held (all of them with `hold_all`); a call of which it says
    that it has seen enough is inspected no more. Without them the hits
    are in the outcome, those of calls that never returned, too. `on_check` is called
    with everything held each `check_every` hits of whatever site; `on_end` once, with every
    thread at its end and memory still there (not after an exec, nor if SIGKILL came from
    outside). All are called in the tracing thread; what they raise ends the run and is raised
    here. They get target addresses: link-time ones plus the outcome's `bias`.

    With `allocator` what the runtime allocates is counted for those in whose calls it does.
    `sweeps` are its calls of runtime.gcSweep, and what each calls: without them no site's results
    are looked at `later`, nor where all is held, or checks are made. What is put into the program
    may be `kept` for the next run.

    After `timeout` seconds, or Ctrl-C, the program is killed and the outcome is `partial`.
    The program gets the three descriptors and our environment or `env`; children that it starts
    run on by themselves, untraced, and outlive it as they would.

    Raises UsageError (no such program; the sites are not in it), NotPermittedError,
    CannotWorkError, TargetGoneError (killed before it began), ValueError (nonsense asked for).
    """
    if not 0 <= inspect <= MOST_INSPECTED or check_every < 0:
        raise ValueError(f"inspect is a count up to {MOST_INSPECTED:,}, check_every a count")
    sweeps = () if hold_all or check_every else sweeps
    cave = Cave(sites, probes, inspect, check_every, allocator, sweeps, kept)
    launch = {
        "stdin": stdin,
        "stdout": stdout,
        "stderr": stderr,
        "cwd": cwd,
        "env": env,
        "randomize": randomize,
    }
    engine = Engine(
        os.fspath(binary),
        args,
        cave,
        Listeners(on_hit, on_probe, on_check, on_end),
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


def _supervise(engine: Engine, timeout: float | None) -> None:
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


def _end(engine: Engine, why: str) -> None:
    engine.stop(why)
    if not engine.finished.wait(_NOTICE) and not engine.stopping:
        engine.wake()
        engine.finished.wait(_GRACE)
    if engine.stopping:
        engine.finished.wait()
