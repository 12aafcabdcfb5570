"""Single instructions of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.instructions import (
    LONGEST as LONGEST,
    Transfer as Transfer,
    after_call as after_call,
    call_ahead as call_ahead,
    called as called,
    prologue as prologue,
    spans as spans,
    stack_check as stack_check,
    stored_range as stored_range,
    transfers as transfers,
)
