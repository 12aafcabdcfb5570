"""`goroutines --waits` and `--leaked` where what goroutines hang in is damaged, and where very many
hang in one thing: an answer that comes to an end, and says what is wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from goprobe.analysis.waits.waits import in_graph
from goprobe.model.attached import GoroutinesReport
from goprobe.process.proc.maps import read_maps
from goprobe.report import RenderOptions, render
from goprobe.runtime.layout.layout import Layout
from goprobe.target.live import open_target, stopped_target
from tests.goroutines.test_waits import PROGRAM, said
from tests.support.go import Running, build, matrix, running

_CROWD = 20_000
_APART = 100

CROWD = f"""package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
)

func main() {{
	one, lost := make(chan int), make(chan int)
	var lock sync.Mutex
	lock.Lock()
	for i := 0; i < {_CROWD}; i++ {{
		go func() {{ one <- i }}()
	}}
	for i := 0; i < {_APART}; i++ {{
		go func(c chan int) {{ <-c }}(make(chan int))
	}}
	for i := 0; i < 2000; i++ {{
		go func() {{ <-lost }}()
		go func() {{ lock.Lock() }}()
	}}
	for runtime.NumGoroutine() < {_CROWD + 4000 + _APART} {{
		runtime.Gosched()
	}}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	<-one
	lock.Unlock()
}}
"""


@dataclass
class Standing:
    """A program that stands still, of which words may be changed for a while."""

    program: Running
    layout: Layout
    sudogs: dict[int, list[int]]
    """Addresses, by the goroutine's number."""
    channels: dict[int, int]
    """Of each sudog, where its channel is."""

    def of(self, name: str) -> tuple[int, list[int]]:
        number = said(self.program)[name][0]
        return number, self.sudogs[number]

    def at(self, kind: str, address: int, field: str) -> int:
        return address + self.layout.offset(kind, field)

    @contextmanager
    def changed(self, *words: tuple[int, int]) -> Iterator[None]:
        with open(f"/proc/{self.program.pid}/mem", "r+b", buffering=0) as memory:
            before = []
            for at, new in words:
                memory.seek(at)
                before.append((at, memory.read(8)))
                memory.seek(at)
                memory.write(new.to_bytes(8, "little"))
            try:
                yield
            finally:
                for at, old in reversed(before):
                    memory.seek(at)
                    memory.write(old)


@pytest.fixture(scope="module", params=matrix())
def standing(request: pytest.FixtureRequest) -> Iterator[Standing]:
    with running(build(PROGRAM, go=request.param)) as program:
        target = open_target(program.pid)
        os.kill(program.pid, signal.SIGSTOP)
        with stopped_target(target) as stopped:
            ids = {g.address: g.id for g in stopped.world.goroutines.known}
            found = stopped.world.waiting.sudogs
        by_id: dict[int, list[int]] = {}
        for g, sudog in zip(found.g.tolist(), found.address.tolist(), strict=True):
            by_id.setdefault(ids[g], []).append(sudog)
        channels = dict(zip(found.address.tolist(), found.channel.tolist(), strict=True))
        yield Standing(program, target.layout, by_id, channels)


Damage = Callable[[Standing], tuple[str, str, list[tuple[int, int]]]]
"""Whose it is, what shall be said of that, and the words to change."""


def _own_list_in_a_circle(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (first, last) = s.of("select")
    return "select", "is corrupt", [(s.at("sudog", last, "waitlink"), first)]


def _list_to_nowhere(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (first, _) = s.of("select")
    return "select", "is corrupt", [(s.at("sudog", first, "waitlink"), 0x1234)]


def _list_of_another(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (own,) = s.of("sender")
    return "sender", "cannot be read", [(s.at("sudog", own, "g"), s.channels[own])]


def _on_another_channel(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (own,) = s.of("sender")
    _, (other,) = s.of("receiver")
    words = [(s.at("sudog", own, "c"), s.channels[other])]
    if s.layout.struct("sudog").fields["c"].size > 8:
        words.append((s.at("sudog", own, "c") + 8, s.channels[other]))
    return "sender", "being woken", words


def _queue_in_a_circle(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (own,) = s.of("sender")
    return (
        "sender",
        "being woken",
        [(s.at("sudog", own, field), own) for field in ("next", "prev")]
        + [(s.at("hchan", s.channels[own], "sendq.first"), 0)],
    )


def _header(s: Standing) -> tuple[str, str, list[tuple[int, int]]]:
    _, (own,) = s.of("sender")
    return "sender", "header is corrupt", [(s.at("hchan", s.channels[own], "qcount"), 1 << 40)]


@pytest.mark.parametrize(
    "damage",
    [
        _own_list_in_a_circle,
        _list_to_nowhere,
        _list_of_another,
        _on_another_channel,
        _header,
    ],
)
def test_what_is_damaged_is_told(standing: Standing, damage: Damage) -> None:
    name, why, words = damage(standing)
    number, _ = standing.of(name)
    with standing.changed(*words):
        report = in_graph(open_target(standing.program.pid))
        alone = in_graph(open_target(standing.program.pid), only_leaked=True)
    state = next(s for s in report.goroutines if s.id == number)
    assert any(why in waits.why for waits in state.waits_on), state.waits_on
    if why != "header is corrupt":
        assert number not in {s.id for s in alone.goroutines if s.leaked}


def test_a_queue_that_leads_back_to_itself_is_followed_once(standing: Standing) -> None:
    name, _, words = _queue_in_a_circle(standing)
    number, _ = standing.of(name)
    with standing.changed(*words):
        report = in_graph(open_target(standing.program.pid))
    assert any(s.id == number for s in report.goroutines)


def test_channels_that_lie_where_memory_ends(standing: Standing) -> None:
    """Of all of them only the first word can be read."""
    pid = standing.program.pid
    (stack,) = [m for m in read_maps(pid) if m.path == "[stack]"]
    at = [standing.at("sudog", sudog, "c") for sudog, c in standing.channels.items() if c]
    with standing.changed(*((place, stack.high - 8) for place in at)):
        report = in_graph(open_target(pid))
        alone = in_graph(open_target(pid), only_leaked=True)
    channels = [w for s in report.goroutines for w in s.waits_on if w.address == stack.high - 8]
    assert channels
    assert {w.why for w in channels} <= {"it cannot be read", "it is being woken"}
    assert not any(w.address == stack.high - 8 for s in alone.goroutines for w in s.waits_on)


@pytest.fixture(scope="module")
def crowd() -> Iterator[GoroutinesReport]:
    with running(build(CROWD)) as program:
        yield in_graph(open_target(program.pid))


def test_of_twenty_thousand_on_one_channel(crowd: GoroutinesReport) -> None:
    groups = {
        group.waits_on[0].kind + group.wait_reason: group
        for group in crowd.groups
        if group.waits_on
    }
    sending = groups["channelchan send"]
    assert (sending.count, sending.waits_on[0].count) == (_CROWD, _CROWD)
    assert not sending.more_waits_on
    assert not sending.leaked
    assert groups["channelchan receive"].leaked
    assert groups["mutexsync.Mutex.Lock"].count == 2000


def test_what_is_left_out_of_a_group_is_counted(crowd: GoroutinesReport) -> None:
    (apart,) = [group for group in crowd.groups if group.count == _APART]
    assert len(apart.waits_on) + apart.more_waits_on == _APART
    assert apart.more_waits_on
    assert f"and on {_APART - 4} more" in render(crowd, "text", RenderOptions()).decode()
