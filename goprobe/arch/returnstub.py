"""Stubs that note what calls returned, for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.returnstub import (
    BEGUN_AT as BEGUN_AT,
    CLAIM_WORD as CLAIM_WORD,
    G_AT as G_AT,
    HIGH_AT as HIGH_AT,
    RECORD_SIZE as RECORD_SIZE,
    RECORD_WORD as RECORD_WORD,
    RESULTS as RESULTS,
    RETURN_RECORD as RETURN_RECORD,
    SP_AT as SP_AT,
    WHOLE_AT as WHOLE_AT,
    gate as gate,
    noting_returns as noting_returns,
)
