"""Stops a process and lets it go, nothing else: python -m scripts.benchmarks.bare PID.

The baseline of the attach figures. It is a process of its own, as goprobe is, for a program on two
processors feels that another one starts as much as it feels being stopped.
"""

from __future__ import annotations

import sys

from goprobe.process.ptrace.priority import step_back
from goprobe.process.ptrace.stop import stopped

if __name__ == "__main__":
    step_back()
    with stopped(int(sys.argv[1])) as process:
        process.release()
