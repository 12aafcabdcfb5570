"""The ledger's routines for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.ledgerstub import (
    ENTRY_SIZE as ENTRY_SIZE,
    ENTRY_WORD as ENTRY_WORD,
    GRAIN as GRAIN,
    MULTIPLIER as MULTIPLIER,
    ON_G0_WORD as ON_G0_WORD,
    SIZE_WORD as SIZE_WORD,
    STEPS as STEPS,
    TYPE_WORD as TYPE_WORD,
    routine as routine,
)
