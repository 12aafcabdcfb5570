"""What is written into code of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.patches import (
    BREAKPOINT as BREAKPOINT,
    BREAKPOINT_SIZE as BREAKPOINT_SIZE,
    CALL_SIZE as CALL_SIZE,
    NEVER_REACHED as NEVER_REACHED,
    NO_OPERATION as NO_OPERATION,
    PADDING as PADDING,
    STORE_BYTE as STORE_BYTE,
    STORE_REGISTER as STORE_REGISTER,
    callee as callee,
    set_callee as set_callee,
)
