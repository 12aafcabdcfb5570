"""Imports modules while the process waits for another program: Go takes a quarter of a second to
say that nothing is to be built, and numpy as long to be loaded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

_INTERVAL = 0.0005
"""Seconds until Python's lock changes hands: who waits for a program has little to do in between,
and is not to wait for the one who imports."""


@contextmanager
def importing(*names: str) -> Iterator[None]:
    """Imports modules in a thread of its own. What cannot be imported is told by whoever imports
    it where it is used."""

    def work() -> None:
        for name in names:
            with suppress(Exception):
                import_module(name)

    thread = threading.Thread(target=work, name="goprobe-imports", daemon=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(_INTERVAL)
    try:
        thread.start()
    except RuntimeError:  # no room for its stack
        sys.setswitchinterval(before)
        yield
        return
    try:
        yield
    finally:
        thread.join()
        sys.setswitchinterval(before)
