"""The child that asks: one request after the other, a line of JSON each way for every step.

It is forked from a parent that has everything loaded, and may be killed at any moment.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import IO

from goprobe.errors import GoprobeError
from scripts.fuzzing.kind import Question, Subject
from scripts.fuzzing.oracle import SilentError
from scripts.fuzzing.outcome import Outcome
from scripts.truths.choices import Choices

_ADDRESS_SPACE = 12 << 30  # bytes: beyond it a MemoryError, in place of a machine that swaps
_MOST_SHOWN = 6000
_LONGEST = 4000  # characters of a refusal
_GROWN = 200 << 20
_STATUS = Path("/proc/self/status")


def serve(subjects: Sequence[Subject], requests: int, answers: int, stacks: IO[str]) -> None:
    """Answers requests until there are none: `requests` and `answers` are pipes' descriptors.

    A request is {"subject": index, "seed": text} or {"subject": index, "numbers": [...]}, with
    "only" for a single question.
    """
    _prepare(stacks)
    out = os.fdopen(answers, "w", buffering=1)

    def say(**line: object) -> None:
        out.write(json.dumps(line) + "\n")

    for line in os.fdopen(requests):
        request = json.loads(line)
        subject = subjects[request["subject"]]
        numbers = request.get("numbers")
        choices = Choices(Random(request["seed"]) if numbers is None else numbers)
        damaged = subject.damaged(choices)
        with damaged.asked() as questions:
            say(drawn=choices.drawn, told=damaged.told)
            for question in questions:
                if request.get("only") in (None, question.name):
                    say(begin=question.name)
                    say(**_asked(question))
        say(end=True)
        _clean()


def _prepare(stacks: IO[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(stacks)
    faulthandler.register(signal.SIGUSR1, stacks, all_threads=False)
    # One of numpy's would stand in the user's terminal.
    warnings.simplefilter("error", RuntimeWarning)
    warnings.simplefilter("error", DeprecationWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)


def _asked(question: Question) -> dict[str, object]:
    before = _resident("VmRSS")
    _forget_peak()
    outcome, detail, where = Outcome.ANSWERED, "", ""
    start = time.process_time()
    try:
        question.ask()
    except GoprobeError as error:
        outcome, detail = Outcome.REFUSED, error.message
        if not 0 < len(error.message.strip()) < _LONGEST:
            outcome, where = Outcome.TRACEBACK, "a refusal that is not one sentence"
    except SilentError as error:
        outcome, detail, where = Outcome.SILENT, str(error), f"{question.name}: {error.names}"
    except MemoryError as error:
        outcome, detail, where = Outcome.MEMORY, _shown(error), _where(error)
    except BaseException as error:
        outcome, detail, where = Outcome.TRACEBACK, _shown(error), _where(error)
    seconds = time.process_time() - start
    peak = _resident("VmHWM") - before
    return {
        "question": question.name,
        "outcome": outcome,
        "detail": detail,
        "where": where,
        "seconds": seconds,
        "peak": peak,
    }


def _resident(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-_MOST_SHOWN:]


def _where(error: BaseException) -> str:
    """The innermost line of goprobe's own that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/goprobe/" in f.filename] or list(frames)
    if not own:
        return type(error).__name__
    last = own[-1]
    file = last.filename.rpartition("/goprobe/")[2]
    return f"{type(error).__name__} at {file}:{last.name}"


_seen = 0


def _clean() -> None:
    """Leave no garbage to be counted with the next question."""
    global _seen
    now = _resident("VmRSS")
    if now > _seen + _GROWN:
        gc.collect()
        _seen = _resident("VmRSS")
    sys.stdout.flush()
