"""One word of a running program's memory, changed for a while and put back.

It is put back when the `with` ends, by whatever; by a small process of its own (`putback`) where
goprobe is killed. Where both are killed at once, or goprobe is stopped for ever, it stays.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from goprobe.errors import CannotWorkError, TargetGoneError
from goprobe.process import putback
from goprobe.process.proc.procfs import gone, translated
from goprobe.target.live import PATIENCE, Target, stopped_target

_WORD = 8
_DONE = b"."


@contextmanager
def lent_word(target: Target, address: int, value: int) -> Iterator[int]:
    """A word that has another value in the `with`, which is given the one from before. The process
    stands still while it is written.

    Where the program itself has changed it by the end it is left alone. Raises NotPermittedError,
    TargetGoneError, TargetTimeoutError, and CannotWorkError where another goprobe has it changed
    just now: what stands there is not the program's own.
    """
    with translated(target.pid, "write the memory"):
        memory = os.open(f"/proc/{target.pid}/mem", os.O_RDWR)
    try:
        with _claimed(target.pid, address) as claim:
            before = _read(target.pid, memory, address)
            with _watcher(target.pid, address, value, before, claim):
                _exchange(target, memory, address, before, value)
                try:
                    yield before
                finally:
                    with suppress(TargetGoneError):
                        _exchange(target, memory, address, value, before)
    finally:
        os.close(memory)


@contextmanager
def _claimed(pid: int, address: int) -> Iterator[int]:
    """The word is ours alone, as long as anybody holds this file: one name of the machine's is
    taken by one socket, and is free when that is closed, however it came to be (unix(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        try:
            claim.bind(f"\0goprobe/{pid}/{address:x}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise CannotWorkError(
                f"another goprobe has this changed in process {pid} just now",
                hint="wait until it has ended: what it changed it puts back",
            ) from None
        yield claim.fileno()


def _read(pid: int, memory: int, address: int) -> int:
    with translated(pid, "read the memory"):
        data = os.pread(memory, _WORD, address)
    if len(data) != _WORD:
        raise gone(pid)
    return int.from_bytes(data, "little")


def _exchange(target: Target, memory: int, address: int, old: int, new: int) -> None:
    """Write the new value where the old one stands."""
    with stopped_target(target, timeout=PATIENCE):
        if _read(target.pid, memory, address) == old:
            with translated(target.pid, "write the memory"):
                os.pwrite(memory, new.to_bytes(_WORD, "little"), address)


@contextmanager
def _watcher(pid: int, address: int, ours: int, before: int, claim: int) -> Iterator[None]:
    """Beside us a process that puts the word back when we are killed, and has the claim until then;
    in a session of its own, so that what is sent to our process group does not reach it."""
    words = [str(pid), hex(address), hex(ours), hex(before)]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", putback.__file__, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        pass_fds=(claim,),
        bufsize=0,
    ) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        try:
            yield
        finally:
            with suppress(OSError):
                child.stdin.write(_DONE)
            child.stdin.close()
