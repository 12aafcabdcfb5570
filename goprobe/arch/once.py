"""Instructions of the machine that are noted when they run."""

from __future__ import annotations

from goprobe.arch.amd64.once import (
    Noting as Noting,
    ReturnStub as ReturnStub,
    noting as noting,
    return_stub as return_stub,
)
