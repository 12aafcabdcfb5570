"""What machine code says without being run."""

from __future__ import annotations

from goprobe.arch.amd64.machinecode import (
    StaticOperands as StaticOperands,
    addresses_taken as addresses_taken,
    call_before as call_before,
    calls_to as calls_to,
    decode as decode,
    indirect_calls as indirect_calls,
    known_at as known_at,
    may_refer as may_refer,
    references as references,
    static_operands as static_operands,
    verified as verified,
)
