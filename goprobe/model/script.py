"""What a scripted session hears of its program, and how a recording of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.calls import CallValue
from goprobe.model.trace import Exit, StopReport

RECORDING_SCHEMA = "goprobe.recording/3"
OLD_RECORDING_SCHEMAS = ("goprobe.recording/1", "goprobe.recording/2")


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The program of a session and the tools that it ran under."""

    target: str
    args: tuple[str, ...]
    binary: str
    go: str
    gdb: str
    pid: int


class Here(msgspec.Struct, frozen=True):
    """What is known of a stop before anything is asked: `thread` is the kernel's id."""

    reason: str
    thread: int
    pc: Address


class WatchNews(StrEnum):
    """What happened to a watch: a write; its bytes moved with their stack; there is nothing to
    watch any more."""

    WRITE = "write"
    MOVED = "moved"
    OVER = "over"


class Results(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a function gave back, or why that is not known."""

    values: tuple[CallValue, ...] | UnsetType = UNSET
    why: str = ""


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the program went when it was let run: to a stop, or to its end.

    `where` is the WHERE of the breakpoint, "" for other reasons, and `also` others that mean the
    same address; `wrapper` says that the compiler has made the function there. `watch` is the
    number of the watch that it stopped for, and `watched` what happened to it; `watches` says where
    the bytes of each watch lie by now. `cut` is the step ("finish", …) that the program was stopped
    in before its end, "" where none was; `goes_on` says whether it can be gone on with. `stop` is
    in recordings of goprobe.recording/1 alone: it is asked for since.
    """

    here: Here | UnsetType = UNSET
    stop: StopReport | UnsetType = UNSET
    exit: Exit | UnsetType = UNSET
    where: str = ""
    also: tuple[str, ...] = ()
    wrapper: bool = False
    watch: int = 0
    watched: WatchNews = WatchNews.WRITE
    cut: str = ""
    goes_on: bool = False
    watches: dict[int, Address] = msgspec.field(default_factory=dict)


class RecordingHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a recording."""

    schema: str
    goprobe: str
    info: SessionInfo


class Exchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question of the script and its answer, or the error that it was answered with.

    `number` counts from 1, in recordings of goprobe 0.1 on that have it (0: not said).
    """

    ask: str
    number: int = 0
    args: tuple[str | int, ...] = ()
    answer: msgspec.Raw | UnsetType = UNSET
    error: str = ""
    error_kind: str = ""


class RecordingEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last line: without it the recording was cut short. `interrupted` is the question that
    was never answered, because the session was ended meanwhile."""

    end: bool
    exchanges: int
    interrupted: str = ""


class Wish(msgspec.Struct, frozen=True):
    """Stops that a script wants: those for which an expression is true ("": all), of one goroutine
    (0: of any)."""

    text: str = ""
    goroutine: int = 0


Wishes = Mapping[str, tuple[Wish, ...]]
"""By WHERE: of others all stops are wanted, and of one without a wish none."""
