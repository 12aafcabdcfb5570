"""goprobe: a live memory inspector for Go processes on Linux.

    import goprobe

    with goprobe.attach(pid) as process:
        print(process.where(0xC000012345).locations[0].name)

The public names are those of `__all__`; they are loaded when first used.
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and "goprobe" in sys.orig_argv:
    # `python -m goprobe` is looking for __main__, which does the same for all other ways.
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

TYPE_CHECKING = False  # not from typing, which takes 30 ms in which a Ctrl-C would be told of
if TYPE_CHECKING:
    from goprobe.analysis.trace.trace import TraceRequest, trace
    from goprobe.api.calls import Call, CalledWith
    from goprobe.api.escape import assert_no_allocation, assert_promises, escape
    from goprobe.api.leaks import assert_no_leaks
    from goprobe.api.process import Process, Snapshot, attach
    from goprobe.api.script.diff import Changed, Diff, Moved
    from goprobe.api.script.driver import (
        EXEC,
        EXIT,
        FATAL,
        FORK,
        GOROUTINE,
        GOROUTINE_END,
        PANIC,
        STACK_MOVE,
    )
    from goprobe.api.script.heapobjects import HeapPath, Objects
    from goprobe.api.script.launching import launch, replay
    from goprobe.api.script.panic import Panic
    from goprobe.api.script.program import Condition, Program
    from goprobe.api.script.scope import FrameScope
    from goprobe.api.script.stop import Stop
    from goprobe.api.script.typed import TypedMemory
    from goprobe.api.script.value import Value
    from goprobe.api.script.warned import StopWarning
    from goprobe.api.script.watch import Hit, Watch
    from goprobe.api.sites import Sites
    from goprobe.errors import (
        BuildError,
        CannotWorkError,
        GdbDiedError,
        GoprobeError,
        NoGdbError,
        NoGoError,
        NoSuchElementError,
        NoSuchFieldError,
        NotGoError,
        NotPermittedError,
        StopTooLongError,
        TargetError,
        TargetGoneError,
        TargetTimeoutError,
        UnreadableError,
        UsageError,
    )
    from goprobe.model.address import Address
    from goprobe.model.attached import GoroutinesReport, GoroutineState, MapsReport, WhereReport
    from goprobe.model.calls import CallFrame, CallRecord, CallValue
    from goprobe.model.escape import EscapeReport
    from goprobe.model.heap import HeapReport
    from goprobe.model.location import Kind, Location
    from goprobe.model.memory import MemoryReport
    from goprobe.model.script import SessionInfo, WatchNews
    from goprobe.model.trace import Exit, Frame, StopReport, TraceReport
    from goprobe.model.value import Data, Element, State, Variable
    from goprobe.version import __version__

_HOMES = {
    "Call": "goprobe.api.calls",
    "CalledWith": "goprobe.api.calls",
    "Told": "goprobe.api.told",
    "Sites": "goprobe.api.sites",
    "CallFrame": "goprobe.model.calls",
    "CallRecord": "goprobe.model.calls",
    "CallValue": "goprobe.model.calls",
    "attach": "goprobe.api.process",
    "Process": "goprobe.api.process",
    "Snapshot": "goprobe.api.process",
    "escape": "goprobe.api.escape",
    "assert_no_allocation": "goprobe.api.escape",
    "assert_promises": "goprobe.api.escape",
    "assert_no_leaks": "goprobe.api.leaks",
    "PANIC": "goprobe.api.script.driver",
    "FATAL": "goprobe.api.script.driver",
    "Panic": "goprobe.api.script.panic",
    "GOROUTINE": "goprobe.api.script.driver",
    "STACK_MOVE": "goprobe.api.script.driver",
    "Program": "goprobe.api.script.program",
    "StopWarning": "goprobe.api.script.warned",
    "Condition": "goprobe.api.script.program",
    "launch": "goprobe.api.script.launching",
    "replay": "goprobe.api.script.launching",
    "Stop": "goprobe.api.script.stop",
    "Watch": "goprobe.api.script.watch",
    "WatchNews": "goprobe.model.script",
    "SessionInfo": "goprobe.model.script",
    "Frame": "goprobe.model.trace",
    "StopReport": "goprobe.model.trace",
    "GoroutineState": "goprobe.model.attached",
    "Address": "goprobe.model.address",
    "Hit": "goprobe.api.script.watch",
    "HeapPath": "goprobe.api.script.heapobjects",
    "Objects": "goprobe.api.script.heapobjects",
    "GOROUTINE_END": "goprobe.api.script.driver",
    "FORK": "goprobe.api.script.driver",
    "EXEC": "goprobe.api.script.driver",
    "EXIT": "goprobe.api.script.driver",
    "Diff": "goprobe.api.script.diff",
    "Moved": "goprobe.api.script.diff",
    "Changed": "goprobe.api.script.diff",
    "FrameScope": "goprobe.api.script.scope",
    "TypedMemory": "goprobe.api.script.typed",
    "Value": "goprobe.api.script.value",
    "EscapeReport": "goprobe.model.escape",
    "GoroutinesReport": "goprobe.model.attached",
    "MapsReport": "goprobe.model.attached",
    "MemoryReport": "goprobe.model.memory",
    "WhereReport": "goprobe.model.attached",
    "TraceReport": "goprobe.model.trace",
    "HeapReport": "goprobe.model.heap",
    "Kind": "goprobe.model.location",
    "Location": "goprobe.model.location",
    "Exit": "goprobe.model.trace",
    "Data": "goprobe.model.value",
    "Element": "goprobe.model.value",
    "State": "goprobe.model.value",
    "Variable": "goprobe.model.value",
    **dict.fromkeys(
        (
            "BuildError",
            "CannotWorkError",
            "GdbDiedError",
            "GoprobeError",
            "NoGdbError",
            "NoGoError",
            "NoSuchElementError",
            "NoSuchFieldError",
            "NotGoError",
            "NotPermittedError",
            "StopTooLongError",
            "TargetError",
            "TargetGoneError",
            "TargetTimeoutError",
            "UnreadableError",
            "UsageError",
        ),
        "goprobe.errors",
    ),
    "__version__": "goprobe.version",
    "trace": "goprobe.analysis.trace.trace",
    "TraceRequest": "goprobe.analysis.trace.trace",
}

__all__ = [
    "EXEC",
    "EXIT",
    "FATAL",
    "FORK",
    "GOROUTINE",
    "GOROUTINE_END",
    "PANIC",
    "STACK_MOVE",
    "Address",
    "BuildError",
    "Call",
    "CallFrame",
    "CallRecord",
    "CallValue",
    "CalledWith",
    "CannotWorkError",
    "Changed",
    "Condition",
    "Data",
    "Diff",
    "Element",
    "EscapeReport",
    "Exit",
    "Frame",
    "FrameScope",
    "GdbDiedError",
    "GoprobeError",
    "GoroutineState",
    "GoroutinesReport",
    "HeapPath",
    "HeapReport",
    "Hit",
    "Kind",
    "Location",
    "MapsReport",
    "MemoryReport",
    "Moved",
    "NoGdbError",
    "NoGoError",
    "NoSuchElementError",
    "NoSuchFieldError",
    "NotGoError",
    "NotPermittedError",
    "Objects",
    "Panic",
    "Process",
    "Program",
    "SessionInfo",
    "Sites",
    "Snapshot",
    "State",
    "Stop",
    "StopReport",
    "StopTooLongError",
    "StopWarning",
    "TargetError",
    "TargetGoneError",
    "TargetTimeoutError",
    "Told",
    "TraceReport",
    "TraceRequest",
    "TypedMemory",
    "UnreadableError",
    "UsageError",
    "Value",
    "Variable",
    "Watch",
    "WatchNews",
    "WhereReport",
    "__version__",
    "assert_no_allocation",
    "assert_no_leaks",
    "assert_promises",
    "attach",
    "escape",
    "launch",
    "replay",
    "trace",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'goprobe' has no attribute {name!r}")
    from importlib import import_module

    from goprobe.model.report import show_by

    show_by(_framed)
    return getattr(import_module(_HOMES[name]), name)


def _framed(report: object) -> str:
    """A report's page as a notebook shows it, in a frame: it has scripts and styles of its own."""
    from html import escape

    from goprobe.report import RenderOptions, handles, render

    if not handles(type(report), "html"):
        return ""
    page = render(report, "html", RenderOptions()).decode()
    style = "width: 100%; height: 40em; border: 0"
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{escape(page)}"></iframe>'
