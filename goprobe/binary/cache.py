"""A cache on disk of what was learnt from a binary, keyed by the binary's contents.

A cache that cannot be read or written is no error: the work is done again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def cache_dir() -> Path:
    """$XDG_CACHE_HOME/goprobe, or ~/.cache/goprobe."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "goprobe"


def cached(room: str, key: str, kind: type[T], make: Callable[[], T]) -> T:
    """What `make` returns, from the file <cache>/<room>/<key> where that holds a valid `kind`."""
    path = cache_dir() / room / key
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        pass
    value = make()
    _write(path, msgspec.msgpack.encode(value))
    return value


def _write(path: Path, data: bytes) -> None:
    import tempfile  # only the first look at a binary writes

    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
