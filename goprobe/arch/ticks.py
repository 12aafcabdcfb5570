"""The clock of the machine's processors."""

from __future__ import annotations

from goprobe.arch.amd64.ticks import ticks_and_time as ticks_and_time
