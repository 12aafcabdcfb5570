"""What each goroutine that is blocked waits on, in the runtime's own words and bookkeeping.

Channels and locks by the sudogs that hang in them; the rest by where the runtime notes it: a
sleeper's timer at its g, a descriptor in the poller's pollDesc, a system call in the registers of
the thread that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.blocked import (
    CHANNELS,
    COND,
    GROUP,
    NEVER,
    SEMAPHORE,
    WOKEN,
    Candidate,
    Wait,
    plain,
    reason_of,
)
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.heap.names import Names
from goprobe.analysis.waits.locks import KINDS, Lock, by_reason, state_of, value_around
from goprobe.arch.registers import Registers
from goprobe.arch.systemcalls import NAMES
from goprobe.model.address import Address
from goprobe.model.attached import WaitsOn
from goprobe.process.memory.copies import Words
from goprobe.process.proc.sockets import Descriptor
from goprobe.runtime.goroutines.goroutines import PARKED, Goroutine
from goprobe.runtime.goroutines.polled import Polling
from goprobe.runtime.goroutines.timers import Timer, Timers
from goprobe.runtime.roots.globals import Variables

_NS_IN_US = 1000
_DECIMAL_BELOW = 1 << 20
_NEGATIVE = 1 << 63
_SLEEP, _POLLED, _COROUTINE = "sleep", "IO wait", "coroutine"
_COLLECTOR = (
    "GC ",
    "garbage collection",
    "finalizer wait",
    "cleanup wait",
    "force gc",
    "wait for GC",
    "wait until GC",
)
_NEVER = {"select (no cases)": "select"}
_CORRUPT = "its header is corrupt"

Describes = Callable[[int], Descriptor | None]


class Thing(msgspec.Struct, frozen=True, gc=False):
    """What several may wait on: `node` is the object that it is or lies in (negative: none), `part`
    how Go selects it there, `key` the same for all who wait on it."""

    key: tuple[str, int]
    node: int
    part: str
    waits: WaitsOn


class WhatFor:
    """Says it of the goroutines of one snapshot. `now` is the runtime's clock (0: not known);
    `describes` tells what a descriptor of the process leads to."""

    def __init__(
        self, graph: HeapGraph, leaks: Leaks, names: Names, now: int, describes: Describes
    ) -> None:
        self._graph, self._names, self._now = graph, names, now
        self._world = world = graph.world
        self._describes = lru_cache(maxsize=1 << 16)(describes)
        self._waits, self._senders = leaks.waits, leaks.waits.senders
        self._variables = Variables(world)
        self._polling = Polling(world.memory, world.layout)
        self._timers = Timers(world.memory, world.layout, world.function_name)
        self._tids = {t.address: t.tid for t in world.goroutines.threads}
        self._known: dict[tuple[int, int, str], Thing] = {}
        self._apart: dict[WaitsOn, int] = {}
        self._channels: dict[int, int] = {}
        self._candidates = leaks.candidates

    def things(self, g: Goroutine) -> tuple[Thing, ...]:
        """What a goroutine waits on; nothing of one that does not wait."""
        if g.status == "syscall":
            return (self._alone(self._syscall(g)),)
        if g.status not in PARKED:
            return ()
        reason = plain(reason_of(self._graph, g))
        if reason in NEVER:
            return (self._alone(WaitsOn(kind="nothing", operation=_NEVER.get(reason, reason))),)
        candidate = self._candidates.get(g.id)
        if candidate is not None:
            return self._hanging(candidate, plain(candidate.reason))
        return (self._alone(self._otherwise(g, reason)),)

    def timers(self, pointers: tuple[Words, Words]) -> Mapping[int, Timer]:
        """Those of the channels that `things` told of, by the channels' addresses; `pointers` are
        (channel, place) of those that lead to them, in columns."""
        return self._timers.of_channels(self._channels, pointers)

    def with_timer(self, thing: Thing, timer: Timer | None) -> Thing:
        """The same, with when the `timer` fires that a channel has."""
        if timer is None or thing.waits.operation != "receive":
            return thing
        return replace(thing, waits=self._timed(thing.waits, timer))

    def _alone(self, waits: WaitsOn) -> Thing:
        """What nobody else has; the same for all of whom the very same is told."""
        number = self._apart.setdefault(waits, -1 - len(self._apart))
        return Thing((waits.kind, number), -1, "", waits)

    # In channels and locks

    def _hanging(self, candidate: Candidate, reason: str) -> tuple[Thing, ...]:
        if not candidate.waits:
            why = candidate.unsure or candidate.awake or "none of its cases has a channel"
            return (self._alone(WaitsOn(kind=_kind(reason), why=why)),)
        things = [self._thing(candidate, wait, reason) for wait in candidate.waits]
        if len(things) > 1:
            things = list(dict.fromkeys(things))
        why = candidate.awake if candidate.awake == WOKEN else candidate.unsure
        if why:
            return tuple(replace(t, waits=replace(t.waits, why=why)) for t in things)
        return tuple(things)

    def _thing(self, candidate: Candidate, wait: Wait, reason: str) -> Thing:
        operation = reason
        if reason in CHANNELS:
            operation = "send" if wait.sudog in self._senders else "receive"
        address = self._waits.address(wait)
        key = (address, wait.node, operation)
        if key not in self._known:
            if reason in CHANNELS:
                self._known[key] = self._on_channel(address, wait.node, operation)
            else:
                self._known[key] = self._on_lock(address, wait.node, reason)
        return self._known[key]

    def _on_channel(self, address: int, node: int, operation: str) -> Thing:
        channel = self._waits.channel(address)
        if channel is None:
            why = "it cannot be read"
            made = WaitsOn(
                kind="channel", address=Address(address), operation=operation, why=why
            )  # fmt: skip
            return Thing(("channel", address), node, "", made)
        self._channels[address] = channel.timer
        elem = self._world.typedata.name(channel.elemtype)
        made = WaitsOn(
            kind="channel",
            address=Address(address),
            operation=operation,
            type=f"chan {elem}" if elem else "",
            length=channel.length,
            capacity=channel.capacity,
            state="closed" if channel.closed else "",
            why=_CORRUPT if channel.length > channel.capacity or channel.closed > 1 else "",
        )
        return Thing(("channel", address), node, "", made)

    def _on_lock(self, semaphore: int, node: int, reason: str) -> Thing:
        lock, part, of, node = self._lock(semaphore, node, reason)
        made = WaitsOn(
            kind=KINDS.get(lock.type, "semaphore"),
            address=Address(lock.address) if lock.address > 0 else UNSET,
            operation=lock.operation or "acquire",
            type=of or lock.type,
            state=state_of(self._world.memory, lock),
        )
        return Thing(("lock", lock.address), node, part, made)

    def _lock(self, semaphore: int, node: int, reason: str) -> tuple[Lock, str, str, int]:
        """The value of package sync that a semaphore is part of; how Go selects it from the object
        that it is in, or from a variable's own name; that object."""
        lock = by_reason(reason, semaphore)
        if not semaphore:
            return Lock(lock.type, 0, lock.operation), "", "", node
        if reason == COND:
            node = self._graph.node_at(semaphore)
        types = self._world.program.debug.types if self._world.program.debug.present else None
        if types is None:
            return lock, "", "", node
        before = ""
        if node >= 0:
            before, go_type, at = self._names.value_at(node, semaphore)
        else:
            declared = self._variables.at(semaphore)
            before = declared.name if declared else ""
            go_type, at = (declared.type, semaphore - declared.low) if declared else (None, 0)
        if go_type is None:
            return lock, before, "", node
        path, kind, begins = value_around(types, go_type, at)
        if not kind and node >= 0 and self._graph.is_tiny(node):
            return lock, "", "", node  # the type is that of another value in the same slot
        if not kind:
            part = path.removesuffix(".sema").removesuffix(".mu") if lock.type else path
            return lock, before + part, "", node
        around = replace(lock, type=kind, address=semaphore - at + begins)
        return (
            around,
            before + path,
            kind if go_type.name == kind else f"{kind} in {go_type.name}",
            node,
        )

    # The rest

    def _otherwise(self, g: Goroutine, reason: str) -> WaitsOn:
        if reason == _SLEEP:
            timer = self._timers.of_sleeper(g)
            made = WaitsOn(kind="timer", operation="sleep")
            if timer is None:
                return replace(made, why="its timer cannot be read")
            return self._timed(replace(made, address=Address(timer.address)), timer)
        if reason == _POLLED:
            return self._polled(g)
        if reason == _COROUTINE:
            return WaitsOn(kind="coroutine", operation="resumed by another goroutine")
        if reason.startswith(_COLLECTOR):
            return WaitsOn(kind="collector", operation=reason)
        return WaitsOn(kind="runtime", operation=reason)

    def _timed(self, made: WaitsOn, timer: Timer) -> WaitsOn:
        if timer.fake:
            return replace(made, why="its timer goes by the clock of a synctest bubble")
        if timer.when <= 0:
            return replace(made, why="its timer is stopped") if made.kind == "channel" else made
        every = timer.period // _NS_IN_US if timer.period > 0 else UNSET
        if not self._now:
            return replace(made, every_us=every, why="the time of a core is not known")
        fires = (timer.when - self._now) // _NS_IN_US
        return replace(made, fires_in_us=fires, every_us=every)

    def _polled(self, g: Goroutine) -> WaitsOn:
        made = WaitsOn(kind="descriptor")
        polled = self._polling.of(g)
        if polled is None:
            return replace(made, why="nothing in its frames leads to the descriptor")
        made = replace(
            made,
            operation="write" if polled.writing else "read",
            address=Address(polled.address),
            descriptor=polled.descriptor,
        )
        leads = self._describes(polled.descriptor)
        if leads is None:
            return made
        return replace(made, type=leads.what, local=leads.local, remote=leads.remote)

    def _syscall(self, g: Goroutine) -> WaitsOn:
        made = WaitsOn(kind="syscall")
        registers = self._world.threads.get(self._tids.get(g.m, 0))
        if not isinstance(registers, Registers):
            return replace(made, why="no thread is in it, or its registers are not known")
        number = registers.syscall
        if number is None:
            return replace(made, why="its thread is in no system call now: C code runs, perhaps")
        name, count = NAMES.get(number, (f"system call {number}", 0))
        arguments = registers.syscall_arguments[:count]
        return replace(made, operation=name, call=f"{name}({', '.join(map(_value, arguments))})")


def _kind(reason: str) -> str:
    if reason in CHANNELS:
        return "channel"
    return KINDS.get(by_reason(GROUP if reason == SEMAPHORE else reason, 0).type, "semaphore")


def _value(word: int) -> str:
    """A small number in decimal, else as an address."""
    if word >= _NEGATIVE:
        return str(word - (1 << 64))
    return str(word) if word < _DECIMAL_BELOW else f"{word:#x}"
