"""What a question costs, asked in a child: seconds of processor time and bytes at its peak."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from goprobe.errors import GoprobeError

SECONDS = 10
BYTES = 500 << 20


@dataclass(frozen=True)
class Cost:
    """`answer` is what was returned, "" after an error, whose sentence is `refused`."""

    answer: object
    refused: str
    bytes: int


def asked(question: Callable[[], object]) -> Cost:
    """Fails where the question takes longer than it may, more memory, or raises no sentence."""
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(theirs)
            _ask(question, ours)
        finally:
            os._exit(0)
    os.close(ours)
    with os.fdopen(theirs, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        raise AssertionError(f"it took more than {SECONDS} seconds, or died: {name}")
    answer, refused, error, used = pickle.loads(data)
    assert not error, error
    assert used < BYTES, f"it took {used >> 20} MiB"
    return Cost(answer, refused, used)


def _ask(question: Callable[[], object], pipe: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_used() + SECONDS, _used() + SECONDS))
    _forget_peak()
    before = _peak()
    answer: object = ""
    refused = error = ""
    try:
        answer = question()
    except GoprobeError as found:
        refused = found.message
    except BaseException as found:
        error = (
            f"{type(found).__name__}: {found}\n{''.join(traceback.format_tb(found.__traceback__))}"
        )
    with os.fdopen(pipe, "wb") as file:
        pickle.dump((answer, refused, error, _peak() - before), file)


def _used() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_utime + usage.ru_stime) + 1


def _forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak() -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0
