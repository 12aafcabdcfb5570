"""Stubs that note calls and returns."""

from __future__ import annotations

from goprobe.arch.amd64.callstub import (
    CLOCK as CLOCK,
    GOROUTINE_NUMBER as GOROUTINE_NUMBER,
    HIGH as HIGH,
    POINT as POINT,
    RECORD as RECORD,
    TIME as TIME,
    TIME_WORD as TIME_WORD,
    WHOLE as WHOLE,
    CallStub as CallStub,
    Covered as Covered,
    Places as Places,
    call_stub as call_stub,
    coverable as coverable,
    jump as jump,
)
