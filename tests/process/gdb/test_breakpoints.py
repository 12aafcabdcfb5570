"""Breakpoints, watchpoints, steps and registers, as GDB has them."""

from __future__ import annotations

import select
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pygdbmi.gdbmiparser import parse_response

from goprobe.errors import (
    TargetGoneError,
    UsageError,
)
from goprobe.process.gdb import mi
from goprobe.process.gdb.controller import VECTORS, Gdb, StopEvent
from goprobe.process.gdb.pipes import MiPipes
from goprobe.process.gdb.signals import send_again
from tests.process.gdb.conftest import PATIENCE, to_the_end

# A goroutine that is preempted at a breakpoint comes back to it: it would be hit twice.
UNDISTURBED = {"GODEBUG": "asyncpreemptoff=1"}


def test_stops_at_breakpoints(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    first, second = gdb.insert_breakpoints([symbol("main.calls"), symbol("main.hit")])
    at: list[StopEvent] = []
    while len(at) < 3:
        event = gdb.resume(timeout=PATIENCE)
        # A function that checks its stack begins again after Go has made its goroutine wait.
        if not at or event.breakpoint == second or at[-1].breakpoint == second:
            at.append(event)
    assert [(event.kind, event.breakpoint, event.pc) for event in at] == [
        ("breakpoint", first, symbol("main.calls")),
        ("breakpoint", second, symbol("main.hit")),
        ("breakpoint", second, symbol("main.hit")),
    ]
    assert {event.thread for event in at} <= set(gdb.threads())
    assert gdb.registers()["rax"] == 2  # the argument of the second hit
    to_the_end(gdb)


def test_a_breakpoint_that_is_removed_or_temporary(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    number = gdb.insert_breakpoint(symbol("main.calls"))
    gdb.insert_breakpoint(symbol("main.hit"), temporary=True)
    gdb.remove_breakpoint(number)
    assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")
    to_the_end(gdb)


def test_many_breakpoints_at_once(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["exit"], env=UNDISTURBED)
    numbers = gdb.insert_breakpoints([symbol("main.main")] * 500)
    assert len(set(numbers)) == 500
    assert gdb.resume(timeout=PATIENCE).breakpoint == numbers[0]


def test_no_breakpoint_where_nothing_is(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"])
    with pytest.raises(UsageError, match="no breakpoint at 0x10: nothing is mapped"):
        gdb.insert_breakpoints([symbol("main.hit"), 0x10])
    to_the_end(gdb)  # the good one is gone with the bad one


@pytest.mark.races("GDB itself stumbles where many threads end or stop at once")
def test_breakpoints_of_several_threads_at_once_are_all_told(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["threads"])
    gdb.insert_breakpoint(symbol("main.hit"))
    threads = set()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert gdb.registers(event.thread)["rip"] == symbol("main.hit") == event.pc
        threads.add(event.thread)
    assert len(threads) == 4


@pytest.mark.races("GDB itself stumbles where many threads end or stop at once")
def test_no_hit_is_lost_to_gos_preemption(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["preempted"])
    gdb.insert_breakpoint(symbol("main.hit"))
    seen = set()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.kind == "breakpoint", event
        seen.add(gdb.registers(event.thread)["rax"])
    assert seen == set(range(8 * 15))


@pytest.mark.races(
    "the runtime's monitor sends the signal that has to wait at the first, when it likes"
)
def test_no_hit_is_told_twice_where_one_breakpoint_follows_another(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    """A signal that waits at the first is held back over one instruction, which ends at the
    second: there it still waits."""
    first = symbol("main.hit")
    gdb.launch(binary, ["preempted"])
    gdb.insert_breakpoint(first)
    gdb.resume(timeout=PATIENCE)
    second = gdb.step_instruction(timeout=PATIENCE).pc
    gdb.insert_breakpoint(second)
    assert gdb.resume(timeout=PATIENCE).pc == first
    event = gdb.step_alone(2, timeout=PATIENCE)
    assert event is not None and (event.kind, event.pc) == ("breakpoint", second)
    seen: Counter[tuple[int, int]] = Counter()
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.kind == "breakpoint", event
        seen[event.pc, gdb.registers(event.thread)["rax"]] += 1
        if event.pc == first:
            send_again(gdb.pid, event.thread, signal.SIGURG)
    assert set(seen.values()) == {1}
    assert {n for pc, n in seen if pc == second} >= {n + 1 for pc, n in seen if pc == first}


def test_a_thread_of_its_own_for_a_breakpoint(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["threads"])
    number = gdb.insert_breakpoint(symbol("main.hit"))
    chosen = gdb.resume(timeout=PATIENCE).thread
    gdb.remove_breakpoint(number)
    gdb.insert_breakpoint(symbol("main.hit"), thread=chosen)
    while not (event := gdb.resume(timeout=PATIENCE)).over:
        assert event.thread == chosen
    with pytest.raises(TargetGoneError, match="the program is gone"):
        gdb.insert_breakpoint(symbol("main.hit"), thread=chosen)


def test_watchpoints(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    place = symbol("main.watched") + 16
    gdb.launch(binary, ["watch"])
    number = gdb.insert_watchpoint(place, 8)
    for value in (5, 12):
        event = gdb.resume(timeout=PATIENCE)
        assert (event.kind, event.breakpoint) == ("watchpoint", number)
        assert gdb.evaluate(f"*(long *) {place:#x}") == str(value)
    to_the_end(gdb)


def test_hardware_places_are_counted(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    first = gdb.insert_breakpoint(symbol("main.calls"), hardware=True)
    for index in range(3):
        gdb.insert_watchpoint(symbol("main.watched") + 8 * index, 8, "access")
    with pytest.raises(UsageError, match="4 places"):
        gdb.insert_breakpoint(symbol("main.hit"), hardware=True)
    with pytest.raises(UsageError, match="cannot watch 3 bytes"):
        gdb.insert_watchpoint(symbol("main.watched"), 3)
    assert gdb.resume(timeout=PATIENCE).breakpoint == first
    gdb.remove_breakpoint(first)
    gdb.insert_breakpoint(symbol("main.hit"), hardware=True)
    assert gdb.resume(timeout=PATIENCE).pc == symbol("main.hit")


def test_steps(gdb: Gdb, binary: Path, symbol: Callable[[str], int]) -> None:
    gdb.launch(binary, ["calls"], env=UNDISTURBED)
    gdb.insert_breakpoint(symbol("main.hit"), temporary=True)
    event = gdb.resume(timeout=PATIENCE)
    seen: list[int] = []
    while not seen or symbol("main.hit") <= seen[-1] < symbol("main.hit") + 64:
        event = gdb.step_instruction(timeout=PATIENCE)
        assert event.kind == "step" and event.pc == gdb.registers()["rip"]
        seen.append(event.pc)
    assert symbol("main.calls") < seen[-1]


def test_registers_agree_with_gdbs_own(
    gdb: Gdb, binary: Path, symbol: Callable[[str], int]
) -> None:
    gdb.launch(binary, ["calls"])
    gdb.insert_breakpoint(symbol("main.hit"))
    gdb.resume(timeout=PATIENCE)
    registers = gdb.registers()
    mask = (1 << 64) - 1
    for name in ("rip", "rsp", "rbp", "rax", "r14", "fs_base"):
        assert registers[name] == int(gdb.evaluate(f"(unsigned long) ${name}")) & mask
    [tid] = [t for t in gdb.threads() if gdb.registers(t)["rip"] == registers["rip"]]
    assert gdb.vector("xmm15", tid) == 0  # Go's ABI keeps it zero
    for name in VECTORS:
        words = [gdb.evaluate(f"${name}.v2_int64[{i}]") for i in range(2)]
        low, high = (int(word) & mask for word in words)
        assert gdb.vector(name, tid) == high << 64 | low


def test_what_gdb_says_of_a_signal_cuts_nothing_that_it_says() -> None:
    record = b'*stopped,reason="exited-normally"\n'
    said = b"".join(record[:at] + mi.ASIDE + record[at:] for at in range(len(record)))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        pipes, told = MiPipes(cat, parse_response), list[Mapping[str, Any]]()
        for at in range(0, len(said), 7):  # nor what comes in pieces
            pipes.write(said[at : at + 7].decode(), PATIENCE)
            assert cat.stdout is not None and select.select([cat.stdout], [], [], PATIENCE)[0]
            told += pipes.read()
    assert [r["payload"] for r in told] == [{"reason": "exited-normally"}] * len(record)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, StopEvent("other")),
        ({"reason": "exited", "exit-code": "0177"}, StopEvent("exited", exit_code=127)),
        ({"reason": "exited", "exit-code": "99"}, StopEvent("exited")),
        ({"reason": ["what"], "frame": "none", "bkptno": {}}, StopEvent("other")),
        ({"reason": "breakpoint-hit", "frame": {"addr": "0x10"}}, StopEvent("breakpoint", pc=16)),
        (
            {"reason": "read-watchpoint-trigger", "hw-rwpt": {"number": "3"}},
            StopEvent("watchpoint", breakpoint=3),
        ),
    ],
)
def test_stop_records(record: dict[str, object], expected: StopEvent) -> None:
    detail = record.get("reason") if isinstance(record.get("reason"), str) else ""
    assert replace(mi.parse_stop(record, 0), detail="") == expected
    assert mi.parse_stop(record, 0).detail == detail
