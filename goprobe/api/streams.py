"""Streams of a program that is started: descriptors, or files that have one."""

from __future__ import annotations

import io
from typing import Protocol

from goprobe.errors import UsageError


class File(Protocol):
    """An open file of Python's."""

    def fileno(self) -> int: ...


Stream = int | File


def descriptor(stream: Stream, what: str) -> int:
    """Raises UsageError where there is none."""
    if isinstance(stream, int):
        return stream
    try:
        return stream.fileno()
    except (AttributeError, io.UnsupportedOperation, ValueError) as error:
        told = f"{what} is a descriptor or an open file, not {type(stream).__name__}"
        raise UsageError(told) from error
