"""First and last instructions of functions, done by hand."""

from __future__ import annotations

from goprobe.arch.amd64.byhand import (
    Done as Done,
    Ends as Ends,
    PutWord as PutWord,
    WordAt as WordAt,
    behind_stack_check as behind_stack_check,
    by_hand as by_hand,
    ends as ends,
)
