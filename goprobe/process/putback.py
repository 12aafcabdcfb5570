"""Puts one word of a process back when goprobe is no more: run by itself, as a program.

    python putback.py PID ADDRESS OURS BEFORE

It says "ready" once it holds the process's memory, and waits for its standard input. A byte means
that all is done; its end without one, that goprobe was killed: then the word is put back, where it
still is ours. What it holds is the memory of the program that runs now: after an execve, or where
another process has the number by then, writing fails and harms nobody.
"""

from __future__ import annotations

import os
import sys

_WORD = 8


def wait(pid: int, address: int, ours: int, before: int) -> None:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    os.write(1, b"ready\n")
    if os.read(0, 1):
        return
    if os.pread(memory, _WORD, address) == ours.to_bytes(_WORD, "little"):
        os.pwrite(memory, before.to_bytes(_WORD, "little"), address)


if __name__ == "__main__":
    try:
        wait(*(int(word, 0) for word in sys.argv[1:5]))
    except OSError:
        sys.exit(1)
