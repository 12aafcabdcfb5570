"""Go's calling convention on the machine."""

from __future__ import annotations

from goprobe.arch.amd64.abi import (
    DEPTH_LIMIT as DEPTH_LIMIT,
    INTERFACE as INTERFACE,
    POINTER as POINTER,
    SLICE as SLICE,
    STRING as STRING,
    AbiField as AbiField,
    AbiType as AbiType,
    Assigned as Assigned,
    RegisterPiece as RegisterPiece,
    Signature as Signature,
    array_of as array_of,
    assign as assign,
    scalar as scalar,
)
