"""Everything that can go wrong, as one tree. Each class carries its exit code.

    GoprobeError
    ├── UsageError           2  the command line, or what it names, makes no sense
    │   ├── NoSuchElementError 2 a script asks for a variable, element or key that is not there
    │   ├── NoSuchFieldError 2   a script asks for a field that a value has not
    │   ├── BuildError       2  the Go program does not build (carries the compiler's lines)
    │   └── NotGoError       2  the file or process is not a Go program that goprobe can read
    │       └── UndescribedError 2  its binary does not describe what is needed of Go's runtime
    ├── CannotWorkError      3  goprobe cannot work on this machine
    │   ├── NoGoError        3  no Go toolchain found
    │   ├── NoGdbError       3  no GDB found
    │   ├── CopyLostError    3  a copy of a process did not live until it had been read
    │   ├── StopTooLongError 3  a process would stand still for longer than the user allows
    │   └── NotPermittedError 3  the kernel forbids it (Yama, another user, already traced)
    ├── ScriptFailedError    1  a script raised, or one of its assertions failed
    └── TargetError          4  the target misbehaved
        ├── TargetGoneError  4  it ended, crashed or vanished
        ├── TargetTimeoutError 4  it did not get there in time
        └── GdbDiedError     4  GDB ended in the middle

`UnreadableError` is not part of a sentence to the user: it is how a read of memory
that is not there is told to the code that asked, which turns it into data ("unreadable"), or, where
there is no answer without it, into a sentence (`telling`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from goprobe.counts import counted

_SENTENCE_LIMIT = 2000  # characters


class GoprobeError(Exception):
    """An error with one clear sentence and, where there is one, a way to mend it.

    `hint` is what the user can type or do; it is empty where nothing helps. A sentence may quote
    what came from outside, which may be of any length: it is cut.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        if len(message) > _SENTENCE_LIMIT:
            message = f"{message[:_SENTENCE_LIMIT]}…"
        super().__init__(message)
        self.message = message
        self._hint = ""
        self.hint = hint

    @property
    def hint(self) -> str:
        """What the user can do; empty where nothing helps."""
        return self._hint

    @hint.setter
    def hint(self, hint: str) -> None:
        """Python shows it below the traceback, as a note (PEP 678)."""
        notes = [note for note in getattr(self, "__notes__", ()) if note != self._hint]
        self._hint = hint
        self.__notes__ = [*notes, hint] if hint else notes


class UsageError(GoprobeError):
    """What was asked cannot be meant, or names something that is not there: exit code 2."""

    exit_code = 2


class NoSuchElementError(UsageError, KeyError, IndexError):
    """A variable, element or key that is not there."""

    def __str__(self) -> str:
        return self.message


class NoSuchFieldError(UsageError, AttributeError):
    """A field that a value has not."""


class BuildError(UsageError):
    """The Go program does not build; `output` is what the compiler printed, unchanged."""

    def __init__(self, message: str, *, output: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.output = output


class NotGoError(UsageError):
    """The file or process holds no Go program, or none that could be told for one."""


class UndescribedError(NotGoError, KeyError):
    """The binary does not say what something of Go's runtime is, or where."""

    def __str__(self) -> str:
        return self.message


class CannotWorkError(GoprobeError):
    """Here goprobe cannot do that: exit code 3. The hint says what would have to change."""

    exit_code = 3


class NoGoError(CannotWorkError):
    """There is no `go`, and the program has to be built."""


class NoGdbError(CannotWorkError):
    """There is no `gdb`, or none that works."""


class CopyLostError(CannotWorkError):
    """A copy of a process was ended before it had been read; `why` is a sentence."""

    def __init__(self, pid: int, why: str) -> None:
        super().__init__(
            f"the copy of process {pid} was let go of before it had been read: {why}",
            hint="--snapshot stop reads the process itself while it stands",
        )
        self.why = why


class StopTooLongError(CannotWorkError):
    """A target would stand still for longer than the user allows."""


class NotPermittedError(CannotWorkError):
    """The kernel does not let this user look at the process."""


class ScriptFailedError(GoprobeError):
    """A script raised: the message says what and where, `lines` are its own traceback."""

    exit_code = 1

    def __init__(self, message: str, *, lines: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


class TargetError(GoprobeError):
    """The program did what goprobe cannot go on from: exit code 4."""

    exit_code = 4


class TargetGoneError(TargetError):
    """It ended while it was looked at."""


class TargetTimeoutError(TargetError):
    """It did not come where it was waited for in time."""


class GdbDiedError(TargetError):
    """GDB ended in the middle of a session."""


class UnreadableError(Exception):
    """Memory at `address` (`size` bytes, target's address space) cannot be read."""

    def __init__(self, address: int, size: int, why: str = "not mapped") -> None:
        what = counted(size, "byte") if size else "what lies"
        super().__init__(f"{what} at {address:#x}: {why}")
        self.address = address
        self.size = size
        self.why = why


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Tells the user of an UnreadableError that nobody made data of: `what` cannot be read."""
    try:
        yield
    except UnreadableError as error:
        raise CannotWorkError(f"{what} cannot be read: {error}") from None
