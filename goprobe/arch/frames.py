"""Frames of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.frames import (
    CALLER_ABOVE_FP as CALLER_ABOVE_FP,
)
from goprobe.arch.amd64.frames import (
    CONTEXT_FP as CONTEXT_FP,
)
from goprobe.arch.amd64.frames import (
    CONTEXT_PC as CONTEXT_PC,
)
from goprobe.arch.amd64.frames import (
    CONTEXT_SP as CONTEXT_SP,
)
from goprobe.arch.amd64.frames import (
    RETURN_ADDRESS as RETURN_ADDRESS,
)
