"""Breakpoints in code that several processes may share."""

from __future__ import annotations

import os
import signal

from goprobe.process.calltracer.codepoints import CodePoints, Point


def test_memory_is_told_apart_without_padding() -> None:
    points = CodePoints[Point](-1, ())
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    try:
        assert points.shared_with(os.getpid(), os.getpid(), -1)
        assert not points.shared_with(os.getpid(), child, -1)  # a copy of ours
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
