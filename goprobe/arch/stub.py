"""The tracer's stubs for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.stub import (
    CLAIM_WORD as CLAIM_WORD,
    CLAIMED as CLAIMED,
    CONTROL_SIZE as CONTROL_SIZE,
    CONTROL_WORDS as CONTROL_WORDS,
    FIRST_CLAIM as FIRST_CLAIM,
    HITS as HITS,
    MODE as MODE,
    RECORD as RECORD,
    RECORD_SIZE as RECORD_SIZE,
    RECORD_WORD as RECORD_WORD,
    RECORDED_WORDS as RECORDED_WORDS,
    RECORDS as RECORDS,
    StubLayout as StubLayout,
    StubPhase as StubPhase,
    make_stub as make_stub,
    ring_size as ring_size,
)
