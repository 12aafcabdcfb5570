"""Work that is shared out among processes of ours, forked from this one: each takes what comes
next.

A fork of a process with threads has none of them, and their locks as they were: whoever has threads
that hold locks which the work takes is not to share it out.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from goprobe.cachefolder import unnamed_file
from goprobe.deferredsignals import signals_deferred
from goprobe.files import write_all
from goprobe.process.libc import libc
from goprobe.process.spawn import PR_SET_PDEATHSIG, dies

_HEAD = struct.Struct("=II")  # which piece of work, and how many bytes come of it
_NUMBER = struct.Struct("=I")
_CHUNK = 1 << 20
_PATIENCE = 3.0  # seconds
_AGAIN = (1 << 32) - 1  # instead of a number: another one is to go on in its place
_GROWN = 48 << 10  # KiB of its own: memory that was used is not given back as a rule
_OWN = (b"Private_Clean:", b"Private_Dirty:")


def share_out(
    count: int,
    work: Callable[[int], bytes],
    take: Callable[[int, bytes], None],
    most: int,
    *,
    apart: Sequence[int] = (),
) -> bool:
    """Has `most` processes do each piece of work below `count`, and takes what they make of it, as
    it comes, with signals deferred. Those `apart` are done first, one after the other, by one of
    them. Nothing is taken of what one of them could not do, or did not live to do: it is to be done
    here, where its error can be raised.

    They get each Ctrl-C that comes, as work done here would. Whether one came.
    """
    interrupted = False
    workers: dict[int, _Worker] = {}
    with unnamed_file() as first, unnamed_file() as jobs:
        _write_numbers(first, apart)
        _write_numbers(jobs, sorted({*range(count)}.difference(apart)))
        queues = first.fileno(), jobs.fileno()
        try:
            for started in range(min(most, count)):
                _start(queues[min(started, 1) :], work, workers)
            while workers:
                try:
                    for left in _hear(workers, take):
                        _start(left, work, workers)
                except KeyboardInterrupt:
                    interrupted = True
                    for worker in workers.values():
                        with suppress(ProcessLookupError):
                            os.kill(worker.pid, signal.SIGINT)
        finally:
            with signals_deferred():
                for worker in workers.values():
                    worker.end()
    return interrupted


def _write_numbers(file: IO[bytes], numbers: Iterable[int]) -> None:
    file.write(b"".join(map(_NUMBER.pack, numbers)))
    file.flush()
    file.seek(0)


class _Worker:
    """`queues` are the files of numbers that it takes, in order."""

    def __init__(self, pid: int, pipe: int, queues: Sequence[int]) -> None:
        self.pid, self.pipe, self.queues = pid, pipe, queues
        self.wants_another = False
        self._heard = bytearray()

    def hear(self, take: Callable[[int, bytes], None]) -> bool:
        """Take what it has made since; whether more may come."""
        data = os.read(self.pipe, _CHUNK)
        self._heard += data
        while len(self._heard) >= _HEAD.size:
            number, size = _HEAD.unpack_from(self._heard)
            if len(self._heard) < _HEAD.size + size:
                break
            made = bytes(self._heard[_HEAD.size : _HEAD.size + size])
            del self._heard[: _HEAD.size + size]
            if number == _AGAIN:
                self.wants_another = True
            else:
                take(number, made)
        return bool(data)

    def end(self) -> None:
        """It is asked to end what it runs, and killed where it does not: that ends it as well."""
        os.close(self.pipe)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            if not dies(self.pid, _PATIENCE):
                os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _hear(workers: dict[int, _Worker], take: Callable[[int, bytes], None]) -> list[Sequence[int]]:
    """Wait until one of them tells something, or ends; the queues of those that are to be started
    instead."""
    ready, _, _ = select.select([*workers], [], [])
    wanted = []
    with signals_deferred():
        for pipe in ready:
            if not workers[pipe].hear(take):
                ended = workers.pop(pipe)
                wanted += [ended.queues] if ended.wants_another else []
                ended.end()
    return wanted


def _start(
    queues: Sequence[int], work: Callable[[int], bytes], workers: dict[int, _Worker]
) -> None:
    in_it = False
    try:
        with signals_deferred(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads: see above
            ours, theirs = os.pipe()
            parent, pid = os.getpid(), os.fork()
            in_it = pid == 0
            if in_it:
                libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
                for fd in (ours, *workers):
                    os.close(fd)
            else:
                os.close(theirs)
                workers[ours] = _Worker(pid, ours, queues)
        if in_it and os.getppid() == parent:
            _live(queues, theirs, work)
    finally:
        if in_it:
            os._exit(0)


def _live(queues: Sequence[int], pipe: int, work: Callable[[int], bytes]) -> None:
    """In it: do what comes next until nothing does, or something goes wrong."""
    # The place in the file is one for all of them, and moves on with each reading (fs/file.c,
    # fdget_pos).
    while taken := next(filter(None, (os.read(jobs, _NUMBER.size) for jobs in queues)), b""):
        (number,) = _NUMBER.unpack(taken)
        made = work(number)
        write_all(pipe, _HEAD.pack(number, len(made)))
        write_all(pipe, made)
        if _own_kib() > _GROWN:
            write_all(pipe, _HEAD.pack(_AGAIN, 0))
            return


def _own_kib() -> int:
    """What this process has that it shares with nobody."""
    with suppress(OSError):
        rollup = Path("/proc/self/smaps_rollup").read_bytes()
        return sum(int(r.split()[1]) for r in rollup.splitlines() if r.startswith(_OWN))
    return 0
