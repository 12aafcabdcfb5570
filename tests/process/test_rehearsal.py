"""Copies of what a rehearsal has read, also of what no process has."""

from __future__ import annotations

import ctypes
import os

import pytest

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.memory.rehearsal import CopyPlan, NotingMemory


@pytest.mark.parametrize("nowhere", [1 << 64, (1 << 64) - 4096, 16, 1 << 70])
def test_what_is_no_address_is_unreadable_and_the_rest_is_there(nowhere: int) -> None:
    memory = ProcessMemory(os.getpid())
    buffer = ctypes.create_string_buffer(b"here", 16)
    noted = NotingMemory(memory)
    noted.read(ctypes.addressof(buffer), 4)
    with pytest.raises(UnreadableError):
        noted.read(nowhere, 8)
    copy = CopyPlan(noted.ranges).take(memory)
    assert copy.read(ctypes.addressof(buffer), 4) == b"here"
    with pytest.raises(UnreadableError):
        copy.read(nowhere, 8)
