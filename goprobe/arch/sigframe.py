"""Frames of signals on the machine, as chains of system calls."""

from __future__ import annotations

from goprobe.arch.amd64.sigframe import (
    Chain as Chain,
    Gadgets as Gadgets,
    can_be_resumed as can_be_resumed,
    resumed as resumed,
)
