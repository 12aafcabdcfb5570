"""A copy-on-write child of a stopped process, to be read while the process itself runs on.

    plan = plan_fork(pid)                      # may say no, and why
    with stopped(pid) as process, forked(process, plan) as snapshot:
        ...                                    # process runs again
        snapshot.memory.read(address, size)

One thread of the target, the maker, is sent through a chain of system calls (see `sigframe`):
it makes a helper process that shares its memory, waits for the helper's end, and goes on with
its own work. The helper makes the child and ends. So the target itself never has a child that
anyone could wait for: the helper sends no signal and is waited for by the maker alone, the child
is orphaned at once and goes to the system's reaper. The child is a tracee of ours from its birth
and never runs an instruction; should we be killed, the kernel kills it, and even if it ran, all
it finds on its stack is the way to exit. It shares the target's table of files, so that a file
which the target closes is closed.

What the target writes while the child is there is copied, which takes memory: where that runs
short, our guardian ends the child, and where the kernel ends somebody, the child comes first.

The frames lie at the low end of the first thread's stack, which nobody has ever used.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from goprobe.arch import systemcalls
from goprobe.arch.registers import REGISTERS_SIZE, Registers
from goprobe.arch.sigframe import Chain, can_be_resumed
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import CopyLostError
from goprobe.process.fork.plan import ForkPlan, NoForkError
from goprobe.process.guardian.guardian import guardian
from goprobe.process.libc import write_memory
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.headroom import first_victim
from goprobe.process.proc.procfs import PAGE_SIZE
from goprobe.process.ptrace import constants, requests
from goprobe.process.ptrace.priority import first_in_line
from goprobe.process.ptrace.stop import StoppedProcess
from goprobe.process.rights.seccomp import forbidden

_CLONE_VM, _CLONE_FILES = 0x100, 0x400  # <sched.h>
_WNOTHREAD, _WCLONE = 0x20000000, 0x80000000  # <bits/waitflags.h>
_ANY_CHILD = -1
_SYSCALL_SIZE = 2
_CALLS = (
    ("clone", systemcalls.CLONE, (_CLONE_VM | _CLONE_FILES,)),
    ("clone", systemcalls.CLONE, (_CLONE_FILES,)),
    ("wait4", systemcalls.WAIT4, (_ANY_CHILD & (1 << 64) - 1, 0, _WCLONE | _WNOTHREAD)),
    ("exit_group", systemcalls.EXIT_GROUP, ()),
    ("rt_sigreturn", systemcalls.RT_SIGRETURN, ()),
)

_SCRATCH = 4 * PAGE_SIZE
_ROOM_BELOW = 2 * PAGE_SIZE  # for a signal handler that runs on this very stack
_FREE_ABOVE = 8 * PAGE_SIZE
_XSTATE_LIMIT = 5000  # beyond it there is AMX, whose size in a frame differs from ptrace's
_PATIENCE = 2.0
_FORK_PATIENCE = 20.0  # copying the page tables of a very large process
_LOOK_AFTER = 0.02
_LOOKS = 5
_SPINS = 5
_STEP, _LONGEST_STEP = 20e-6, 1e-3


class ForkedChild(msgspec.Struct, frozen=True):
    """`pid` is the child's, `threads` are the target's registers as it stood."""

    pid: int
    memory: ProcessMemory
    threads: dict[int, Registers]


@contextmanager
def forked(process: StoppedProcess, plan: ForkPlan) -> Iterator[ForkedChild]:
    """Make the child, let the target go, and end the child with the `with`.

    A signal that was on its way to the maker may have its handler run first. Raises NoForkError,
    with the target still standing, where the child cannot be made; CopyLostError, whatever has
    been read, where the child did not live until the end.
    """
    fork = _Fork(process, plan)
    try:
        with guardian().holding(plan.pid), signals_deferred():
            with first_in_line():
                child = fork.make()
            process.release()
            fork.settle()
            first_victim(child)
            guardian().copied(child, plan.pid)
        yield ForkedChild(child, ProcessMemory(child), process.threads)
        fork.check()
    except Exception:
        fork.check()
        raise
    finally:
        # Where something went wrong its maker may still stand.
        with guardian().holding(plan.pid), signals_deferred():
            fork.end()


class _Fork:
    """The threads and processes that take part; 0 for one that is not there (any more)."""

    def __init__(self, process: StoppedProcess, plan: ForkPlan) -> None:
        self._process = process
        self._plan = plan
        self._maker = self._helper = self._child = 0
        self._low = 0
        self._begun = False

    def make(self) -> int:
        """The pid of the child. Raises NoForkError."""
        maker = _choose_maker(self._process)
        registers = self._process.threads[maker]
        self._check_filter(maker)
        self._low = _free_stack(self._process, self._plan)
        chain, start = self._chain(maker, registers)
        if not write_memory(self._plan.pid, self._low, chain.data()):
            raise NoForkError("its stack cannot be written to")
        self._process.take_over(maker)
        self._maker = maker
        # What a tracee with this option makes is traced from its birth, and stops there.
        requests.set_options(maker, constants.PTRACE_O_TRACECLONE)
        # From here on the maker finds its way by itself, whatever becomes of us.
        if requests.write_registers(maker, chain.entry(start).to_bytes()):
            raise NoForkError("its registers cannot be written")
        self._helper = self._born_of(maker, _PATIENCE)
        requests.set_options(maker, 0)
        requests.proceed(maker)
        self._child = self._born_of(self._helper, _FORK_PATIENCE)
        # Nobody else could end it: it is no child of the target's, and never runs.
        requests.set_options(self._child, constants.PTRACE_O_EXITKILL)
        requests.detach(self._helper)
        self._helper = 0
        return self._child

    def _check_filter(self, maker: int) -> None:
        """Whether seccomp lets the chain through, which it may be killed for otherwise."""
        if self._plan.filtered and (
            why := forbidden(maker, _CALLS, self._plan.gadgets.syscall + _SYSCALL_SIZE)
        ):
            raise NoForkError(why)

    def _chain(self, maker: int, registers: Registers) -> tuple[Chain, int]:
        mask, xstate = requests.signal_mask(maker), requests.extended_state(maker)
        # 512 bytes of FXSAVE and the 64 of XSAVE's header are the least (Intel SDM volume 1, 13.4).
        if mask is None or not 576 <= len(xstate) <= _XSTATE_LIMIT:
            raise NoForkError("this processor's vector registers are too large to be kept safe")
        chain = Chain(self._low, self._plan.gadgets, registers)
        back = chain.restore(mask, xstate)
        reaped = chain.call(systemcalls.WAIT4, _ANY_CHILD, 0, _WCLONE | _WNOTHREAD, then=back)
        over = chain.call(systemcalls.EXIT_GROUP)
        helper = chain.call(systemcalls.CLONE, _CLONE_FILES, over, then=over)
        return chain, chain.call(systemcalls.CLONE, _CLONE_VM | _CLONE_FILES, helper, then=reaped)

    def _born_of(self, parent: int, patience: float) -> int:
        """Let a stopped tracee run until it has made its process; both then stand."""
        until = time.monotonic() + patience
        looks = 0
        requests.proceed(parent)
        while (status := _halt(parent, _LOOK_AFTER)) >> 8 != constants.PTRACE_EVENT_CLONE:
            if status == requests.NOT_YET and time.monotonic() < until:
                requests.interrupt(parent)
                continue
            # Outside its chain it is either done, without a process, or in the handler of a signal
            # that was on its way: such a one is over soon.
            looks = 0 if self._on_chain(parent) else looks + 1
            if status == requests.ENDED or looks > _LOOKS or time.monotonic() > until:
                raise NoForkError("the kernel did not let it fork (a limit on processes or memory)")
            requests.proceed(parent, _signal(status))
        self._begun = True
        born = requests.event_message(parent)
        if not born or _halt(born, _PATIENCE) <= 0:
            raise NoForkError("the child was killed at its birth")
        return born

    def _on_chain(self, tid: int) -> bool:
        """Whether a stopped thread is between two of our system calls."""
        raw = bytearray(REGISTERS_SIZE)
        if requests.read_registers(tid, raw):
            return False
        return self._low - _ROOM_BELOW <= Registers.from_bytes(raw).sp < self._low + _SCRATCH

    def settle(self) -> None:
        """See the maker back to its own work, and leave its stack as it was."""
        until = time.monotonic() + _PATIENCE
        while self._maker and not self._let_maker_go(time.monotonic() > until):
            time.sleep(_STEP)

    def _let_maker_go(self, now: bool) -> bool:
        requests.interrupt(self._maker)
        status = _halt(self._maker, _PATIENCE)
        if status == requests.ENDED:
            requests.reap(self._maker)
        elif status != requests.NOT_YET:
            if self._on_chain(self._maker):
                if not now:
                    requests.proceed(self._maker, _signal(status))
                    return False
            elif self._begun:  # else a handler may yet return to the chain
                write_memory(self._plan.pid, self._low, bytes(_SCRATCH))
            requests.detach(self._maker, _signal(status))
        self._maker = 0
        return True

    def check(self) -> None:
        """Raises CopyLostError where the child does not stand any more."""
        if self._child and requests.wait(self._child) in (requests.ENDED, requests.NOT_YET):
            why = guardian().lost(self._child)
            why = why or "somebody else ended it, perhaps the kernel for want of memory"
            raise CopyLostError(self._plan.pid, why)

    def end(self) -> None:
        guardian().forget(self._child)
        for pid in (self._helper, self._child):
            if pid:
                _kill(pid)
        self._helper = self._child = 0
        self.settle()


def _choose_maker(process: StoppedProcess) -> int:
    """A thread whose way back is known: best one that waits for a futex, next any system call."""

    # Whoever sleeps on a futex in Go may wake up for nothing and looks again (runtime/os_linux.go,
    # futexsleep). Other system calls are restarted by the kernel as after a signal's handler.
    def rank(item: tuple[int, Registers]) -> int:
        number = item[1].syscall
        return 0 if number == systemcalls.FUTEX else 1 if number is not None else 2

    for tid, registers in sorted(process.threads.items(), key=rank):
        if can_be_resumed(registers) and process.is_undisturbed(tid):
            return tid
    raise NoForkError("each of its threads is in the middle of something")


def _free_stack(process: StoppedProcess, plan: ForkPlan) -> int:
    """Where in the first thread's stack the chain may lie: at its low end, where nobody has been.

    Whoever calls a function leaves its return address there, so zeros mean: nobody, or a
    snapshot before this one. One that was killed has left its chain, which begins with our mark.
    """
    low, size = plan.stack_low, _ROOM_BELOW + _SCRATCH
    if any(low <= r.sp < low + size + _FREE_ABOVE for r in process.threads.values()):
        raise NoForkError("its first thread's stack is nearly full")
    memory = process.memory.read(low, size)
    mark = plan.gadgets.sigreturn.to_bytes(8, "little")
    used = memory.count(0) != size
    if used and (any(memory[:_ROOM_BELOW]) or memory[_ROOM_BELOW:][:8] != mark):
        raise NoForkError("its first thread's stack is in use down to its end")
    return low + _ROOM_BELOW


def _halt(tid: int, patience: float) -> int:
    """Wait for a tracee: its status, ENDED, or NOT_YET after `patience` seconds."""
    until = time.monotonic() + patience
    turns = 0
    while (status := requests.wait(tid)) == requests.NOT_YET and time.monotonic() < until:
        turns += 1
        if turns > _SPINS:
            # Not a yield: where other programs compete, each would cost a time slice of theirs.
            time.sleep(min((turns - _SPINS) * _STEP, _LONGEST_STEP))
    return status


def _signal(status: int) -> int:
    return 0 if status >> 8 else status & 0xFF


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _PATIENCE
    while requests.wait(pid) != requests.ENDED and time.monotonic() < until:
        time.sleep(_STEP)
    requests.reap(pid)
