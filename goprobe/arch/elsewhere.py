"""What is done in place of instructions of the machine that are covered."""

from __future__ import annotations

from goprobe.arch.amd64.elsewhere import (
    MAX_INSTRUCTION as MAX_INSTRUCTION,
    CallByHand as CallByHand,
    CodeCopy as CodeCopy,
    Copied as Copied,
    Displaced as Displaced,
    FrameCount as FrameCount,
    Jump as Jump,
    NotDisplaceableError as NotDisplaceableError,
    SeveralCopy as SeveralCopy,
)
