"""What the machine's code says, as plain data."""

from __future__ import annotations

from goprobe.arch.amd64.machinefacts import (
    Constant as Constant,
    DirectCall as DirectCall,
    Known as Known,
    Reference as Reference,
    StackAddress as StackAddress,
    is_call as is_call,
)
