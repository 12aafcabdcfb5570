"""Frames of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.frames import (
    CALLER_ABOVE_FP as CALLER_ABOVE_FP,
    CONTEXT_FP as CONTEXT_FP,
    CONTEXT_PC as CONTEXT_PC,
    CONTEXT_SP as CONTEXT_SP,
    RETURN_ADDRESS as RETURN_ADDRESS,
)
