"""Instructions that take addresses of their frames, counted without a stop, for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.framecount import frame_count as frame_count
