"""goprobe beside programs that are broken, hidden, replaced; and goprobe itself killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goprobe.analysis.locate.where import where
from goprobe.model.location import Kind
from goprobe.runtime.world import World
from goprobe.target.live import open_target, stopped_target
from tests.process.targets import assert_free, tries
from tests.runtime.test_modules import HOST, PLUGIN
from tests.support.cli import Ran, environment, goprobe, started
from tests.support.go import Running, build, has_gcc, matrix, running
from tests.support.waiting import until

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"
SCRIBBLER = TARGETS / "scribbler.go"
COMMANDS = ("where", "maps", "goroutines", "heap")
JUNK = (0, 1, 0x4141414141414141, (1 << 64) - 1)

Writes = list[tuple[int, int]]
"""(address, value of 8 bytes)"""


def _ask(command: str, pid: int, *addresses: int, contradictory: bool = False) -> Ran:
    more = [f"{a:#x}" for a in addresses] if command == "where" else []
    return goprobe(command, str(pid), *more, "--json", timeout=60, contradictory=contradictory)


def _sane(ran: Ran) -> None:
    """An answer, or one sentence and an exit code of the contract."""
    complaints = [line for line in ran.err.splitlines() if not line.startswith("goprobe: reading")]
    assert "Traceback" not in ran.err and "bug in goprobe" not in ran.err, ran.err
    if ran.code == 0:
        assert json.loads(ran.out)
    else:
        assert ran.code in (3, 4), ran
        assert ran.out == b"" and 1 <= len(complaints) <= 2, ran
        assert complaints[0].startswith("goprobe: ")


def check(program: Running) -> int:
    """How much work the program has done; none of it was wrong."""
    program.say("check")
    word, wrong, rounds = program.read_line().split()
    assert (word, wrong) == ("check", "0")
    return int(rounds)


def goes_on(program: Running) -> None:
    """It is neither stopped nor traced, and its work is right."""
    assert_free(program.pid)
    before = check(program)
    for _ in range(1000):
        if check(program) > before:
            return
        time.sleep(0.01)
    raise AssertionError("the program does not go on")


def _lists(world: World, value: int) -> Iterator[Writes]:
    """The heads of the runtime's own lists, but for that of spans: where it is damaged the program
    ends by itself as soon as it needs a span, as for the stack of a new thread (recordspan,
    runtime/mheap.go), which a busy machine makes it do."""
    roots = world.roots
    yield [(roots["allgs"], value)]
    yield [(roots["allgs"] + 8, value)]
    yield [(roots["firstmoduledata"] + world.layout.offset("moduledata", "next"), value)]


def _spans(world: World, value: int, head: int) -> Iterator[Writes]:
    """Fields of spans full of old objects: nobody else will look at them."""
    struct = world.layout.struct("mspan")
    size = world.heap.span_at(head)
    assert size
    full = [
        s.address
        for s in world.heap.all_spans()
        if s.spanclass == size.spanclass and s.alloc_count == s.nelems
    ]
    assert len(full) > 50
    for field in ("startAddr", "npages", "allocBits", "elemsize", "freeindex", "limit"):
        yield [(s + (struct.offset(field) & ~7), value) for s in full[1:40]]


def _goroutines(world: World, value: int) -> Iterator[Writes]:
    """Fields of goroutines that wait for ever."""
    struct, known, parked = world.layout.struct("g"), world.goroutines, _parked(world)
    for field in ("stack.lo", "stack.hi", "sched.sp", "sched.pc", "goid", "m", "waitreason"):
        yield [(g + (struct.offset(field) & ~7), value) for g in parked[10:90]]
    array = int.from_bytes(world.memory.read(world.roots["allgs"], 8), "little")
    place = known.pointers().index(parked[50])
    yield [(array + 8 * i, value) for i in range(place, place + 10)]


def _parked(world: World) -> list[int]:
    known = world.goroutines
    return [g.address for g in known.all if known.wait_reason(g) == "select (no cases)"]


def _damages(program: Running, value: int) -> list[Writes]:
    head = program.address("head")

    def all_parked() -> bool:
        with stopped_target(open_target(program.pid)) as stopped:
            return len(_parked(stopped.world)) == 100

    until(all_parked, "100 goroutines are parked for ever")
    with stopped_target(open_target(program.pid)) as stopped:
        world = stopped.world
        return [*_lists(world, value), *_spans(world, value, head), *_goroutines(world, value)]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("value", JUNK, ids=hex)
def test_a_program_that_destroyed_its_bookkeeping(go: str, value: int) -> None:
    """Damages of one value in turn on one process, each mended before the next."""
    with running(build(SCRIBBLER, go=go)) as program:
        head = program.address("head")
        damages = _damages(program, value)
        chosen = random.Random(value).sample(damages, tries(2, 4))
        for writes in chosen:
            saved = _write(program, writes)
            for command in COMMANDS:
                addresses = (head, writes[0][0], 0xC000000000)
                _sane(_ask(command, program.pid, *addresses, contradictory=True))
            _write(program, saved)
        goes_on(program)
        assert _ask("heap", program.pid).json["self_check"]["popcount_mismatches"] == 0


def _write(program: Running, writes: Writes) -> Writes:
    """Has the program write; returns what was there."""
    memory = Path(f"/proc/{program.pid}/mem")
    saved = []
    with memory.open("rb", buffering=0) as file:
        for address, _ in writes:
            file.seek(address)
            saved.append((address, int.from_bytes(file.read(8), "little")))
    for address, value in writes:
        program.say(f"{address:x} {value:x}")
        assert program.read_line() == "written"
    return saved


def test_goprobe_killed_at_any_moment() -> None:
    chance = random.Random(4)
    with running(build(SCRIBBLER)) as program:
        head = f"{program.address('head'):#x}"
        for attempt in range(tries(4, 100)):
            command = COMMANDS[attempt % len(COMMANDS)]
            more = [head] if command == "where" else []
            run = started([command, str(program.pid), *more], stdout=subprocess.DEVNULL)
            time.sleep(chance.uniform(0.05, 1.0))
            run.send_signal(signal.SIGKILL)
            run.wait(30)
            goes_on(program)


def _answers(pid: int) -> None:
    """Every command has a whole answer."""
    for command in COMMANDS:
        ran = _ask(command, pid, 0x10)
        assert ran.code == 0, ran.err
    functions = {g["function"] for g in _ask("goroutines", pid).json["goroutines"]}
    assert "main.main.func1" in functions


def test_a_deleted_executable(tmp_path: Path) -> None:
    binary = Path(shutil.copy(build(SCRIBBLER), tmp_path / "scribbler"))
    with running(binary) as program:
        binary.unlink()
        _answers(program.pid)
        goes_on(program)


def test_a_replaced_executable(tmp_path: Path) -> None:
    binary = Path(shutil.copy(build(SCRIBBLER, flags=("-buildmode=pie",)), tmp_path / "scribbler"))
    with running(binary) as program:
        binary.rename(tmp_path / "older")
        shutil.copy(build(TARGETS / "kinds.go"), binary)
        _answers(program.pid)
        goes_on(program)


@contextmanager
def _unshared(binary: Path, folder: Path) -> Iterator[int]:
    """The pid, here, of a program that runs in mount and pid namespaces of its own, from a file
    system that is not visible here."""
    hidden = folder / "hidden"
    hidden.mkdir()
    inside = (
        f"mount -t tmpfs none {hidden} && cp {binary} {hidden}/program && exec {hidden}/program"
    )
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as outer:  # type: ignore[call-overload]
        try:
            lines = iter(outer.stdout.readline, b"")
            if not any(line.startswith(b"ready") for line in lines):
                pytest.skip("no namespaces of one's own here")
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()
            assert not list(hidden.iterdir())
            yield int(children.split()[0])
        finally:
            outer.kill()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, unshare")
def test_a_program_in_other_namespaces(tmp_path: Path) -> None:
    with _unshared(build(SCRIBBLER), tmp_path) as pid:
        _answers(pid)
        assert_free(pid)


# Only the newest Go: a plugin's build compiles the whole standard library once more.
@pytest.mark.skipif(not has_gcc(), reason="plugins need gcc")
@pytest.mark.parametrize("go", matrix()[-1:])
def test_addresses_inside_a_plugin(go: str) -> None:
    cgo = {"CGO_ENABLED": "1"}
    plugin = build(PLUGIN, go=go, flags=("-buildmode=plugin",), env=cgo)
    with running(build(HOST, go=go, env=cgo), str(plugin)) as program:
        asked = program.address("run") + 3, program.address("kept")
        code, variable = where(open_target(program.pid), asked).locations
        frames = goprobe("goroutines", str(program.pid), "--stacks", "--json").json
    assert code.kind == Kind.TEXT
    assert str(code.detail["function"]).endswith(".Run")
    assert variable.kind == Kind.BSS and variable.detail["section"] == ".bss"
    assert code.detail["plugin"] == variable.detail["plugin"] != ""
    functions = {f["function"] for g in frames["goroutines"] for f in g.get("frames", ())}
    assert any(name.endswith(".waitInPlugin") for name in functions)


def test_the_environment_of_these_tests_has_no_debug_switch() -> None:
    """With it goprobe would print tracebacks on purpose."""
    assert "GOPROBE_DEBUG" not in environment()
