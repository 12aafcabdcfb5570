"""goprobe: a live memory inspector for Go processes on Linux.

    import goprobe

    with goprobe.attach(pid) as process:
        print(process.where(0xC000012345).locations[0].name)

The public names are those of `__all__`; they are loaded when first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing, which takes 30 ms in which a Ctrl-C would be told of
if TYPE_CHECKING:
    from goprobe.analysis.attached import Process, Snapshot, attach
    from goprobe.analysis.escapeapi import assert_no_allocation, assert_promises, escape
    from goprobe.analysis.script.driver import GOROUTINE, PANIC, STACK_MOVE
    from goprobe.analysis.script.program import Program, StopWarning, launch, replay
    from goprobe.analysis.script.stop import Diff, Stop, Watch
    from goprobe.analysis.trace import TraceRequest, trace
    from goprobe.errors import GoprobeError

__version__ = "0.1.0"

_HOMES = {
    "attach": "goprobe.analysis.attached",
    "Process": "goprobe.analysis.attached",
    "Snapshot": "goprobe.analysis.attached",
    "escape": "goprobe.analysis.escapeapi",
    "assert_no_allocation": "goprobe.analysis.escapeapi",
    "assert_promises": "goprobe.analysis.escapeapi",
    "PANIC": "goprobe.analysis.script.driver",
    "GOROUTINE": "goprobe.analysis.script.driver",
    "STACK_MOVE": "goprobe.analysis.script.driver",
    "Program": "goprobe.analysis.script.program",
    "StopWarning": "goprobe.analysis.script.program",
    "launch": "goprobe.analysis.script.program",
    "replay": "goprobe.analysis.script.program",
    "Stop": "goprobe.analysis.script.stop",
    "Watch": "goprobe.analysis.script.stop",
    "Diff": "goprobe.analysis.script.stop",
    "GoprobeError": "goprobe.errors",
    "trace": "goprobe.analysis.trace",
    "TraceRequest": "goprobe.analysis.trace",
}

__all__ = [
    "GOROUTINE",
    "PANIC",
    "STACK_MOVE",
    "Diff",
    "GoprobeError",
    "Process",
    "Program",
    "Snapshot",
    "Stop",
    "StopWarning",
    "TraceRequest",
    "Watch",
    "__version__",
    "assert_no_allocation",
    "assert_promises",
    "attach",
    "escape",
    "launch",
    "replay",
    "trace",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'goprobe' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
