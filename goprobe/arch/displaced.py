"""Instructions of the machine, run elsewhere than where they stand."""

from __future__ import annotations

from goprobe.arch.amd64.displaced import (
    MAX_INSTRUCTION as MAX_INSTRUCTION,
    CallByHand as CallByHand,
    CodeCopy as CodeCopy,
    Displaced as Displaced,
    Jump as Jump,
    NotDisplaceableError as NotDisplaceableError,
    displace as displace,
    followers as followers,
)
