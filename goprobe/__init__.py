"""goprobe: a live memory inspector for Go processes on Linux.

    import goprobe

    with goprobe.attach(pid) as process:
        print(process.where(0xC000012345).locations[0].name)

The public names are those of `__all__`; they are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goprobe.analysis.attached import Process, Snapshot, attach
    from goprobe.analysis.trace import TraceRequest, trace

__version__ = "0.1.0"

_HOMES = {
    "attach": "goprobe.analysis.attached",
    "Process": "goprobe.analysis.attached",
    "Snapshot": "goprobe.analysis.attached",
    "trace": "goprobe.analysis.trace",
    "TraceRequest": "goprobe.analysis.trace",
}

__all__ = ["Process", "Snapshot", "TraceRequest", "__version__", "attach", "trace"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'goprobe' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
