"""The command line: one file per command, and the one list of them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

from goprobe.cli.calls import Calls
from goprobe.cli.command import Command
from goprobe.cli.completion import Completion
from goprobe.cli.doctor import Doctor
from goprobe.cli.escape import Escape
from goprobe.cli.explain import Explain
from goprobe.cli.explore import Explore
from goprobe.cli.goroutines import Goroutines
from goprobe.cli.heap import Heap
from goprobe.cli.help import Help
from goprobe.cli.maps import Maps
from goprobe.cli.memory import Memory
from goprobe.cli.ps import Ps
from goprobe.cli.report import ReportFolder
from goprobe.cli.run import run
from goprobe.cli.script import Script
from goprobe.cli.trace import Trace
from goprobe.cli.where import Where
from goprobe.process.ptrace.priority import step_back

COMMANDS: tuple[Command, ...] = (
    Trace(),
    Escape(),
    Explain(),
    Script(),
    Where(),
    Maps(),
    Goroutines(),
    Heap(),
    Memory(),
    Calls(),
    Explore(),
    ReportFolder(),
    Ps(),
    Doctor(),
    Completion(),
    Help(),
)


_SELDOM = (50_000, 20, 20)  # nearly all that a command makes it keeps to its end


def main() -> None:
    """Run the command line and exit with the contract's exit code."""
    step_back()
    gc.set_threshold(*_SELDOM)
    code = run(sys.argv[1:], COMMANDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python would tell of it
    if any(not t.daemon for t in threading.enumerate() if t is not threading.main_thread()):
        os._exit(code)  # a script's thread that did not end in time: Python would wait for it
    gc.freeze()  # Python would look for garbage once more, in all that ends with it: 20 ms
    sys.exit(code)
