"""Frames of signals on the machine, as chains of system calls."""

from __future__ import annotations

from goprobe.arch.amd64.sigframe import (
    Chain as Chain,
)
from goprobe.arch.amd64.sigframe import (
    Gadgets as Gadgets,
)
from goprobe.arch.amd64.sigframe import (
    can_be_resumed as can_be_resumed,
)
from goprobe.arch.amd64.sigframe import (
    resumed as resumed,
)
