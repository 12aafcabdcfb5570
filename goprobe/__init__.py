"""goprobe: a live memory inspector for Go processes on Linux.

    import goprobe

    with goprobe.attach(pid) as process:
        print(process.where(0xC000012345).locations[0].name)

The public names are those of `__all__`; they are loaded when first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing, which takes 30 ms in which a Ctrl-C would be told of
if TYPE_CHECKING:
    from goprobe.analysis.trace.trace import TraceRequest, trace
    from goprobe.api.escape import assert_no_allocation, assert_promises, escape
    from goprobe.api.process import Process, Snapshot, attach
    from goprobe.api.script.driver import GOROUTINE, PANIC, STACK_MOVE
    from goprobe.api.script.program import Program, StopWarning, launch, replay
    from goprobe.api.script.stop import Diff, Stop, Watch
    from goprobe.errors import GoprobeError
    from goprobe.version import __version__

_HOMES = {
    "attach": "goprobe.api.process",
    "Process": "goprobe.api.process",
    "Snapshot": "goprobe.api.process",
    "escape": "goprobe.api.escape",
    "assert_no_allocation": "goprobe.api.escape",
    "assert_promises": "goprobe.api.escape",
    "PANIC": "goprobe.api.script.driver",
    "GOROUTINE": "goprobe.api.script.driver",
    "STACK_MOVE": "goprobe.api.script.driver",
    "Program": "goprobe.api.script.program",
    "StopWarning": "goprobe.api.script.program",
    "launch": "goprobe.api.script.program",
    "replay": "goprobe.api.script.program",
    "Stop": "goprobe.api.script.stop",
    "Watch": "goprobe.api.script.stop",
    "Diff": "goprobe.api.script.stop",
    "GoprobeError": "goprobe.errors",
    "__version__": "goprobe.version",
    "trace": "goprobe.analysis.trace.trace",
    "TraceRequest": "goprobe.analysis.trace.trace",
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
