"""GDB's pipes: commands go in whole, what comes out is cut into lines and parsed."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from goprobe.process.gdb import mi

_CHUNK = 1 << 16
_LOG = '&"'
_FINISHED = "(gdb)"

Record = Mapping[str, Any]


class MiPipes:
    """The two ends of a GDB that runs with pipes; `parse` makes a record of one line.

    Not pygdbmi's own reader, only its parser: that waits 0.2 s after every answer for more, and
    prints each record prettily for a log that nobody reads, which takes half of its time.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], parse: Callable[[str], dict[str, Any]]
    ) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._parse = parse
        self._rest = b""
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._out.fileno(), False)

    def write(self, text: str, timeout: float) -> None:
        """Raises OSError where GDB takes no more (TimeoutError: within `timeout` seconds), and
        ValueError where its pipes are closed."""
        deadline = time.monotonic() + timeout
        ready = select.poll()
        ready.register(self._in, select.POLLOUT)
        left = memoryview(text.encode())
        while left:
            if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError("GDB takes no commands")
            left = left[os.write(self._in.fileno(), left) :]

    def read(self) -> list[Record]:
        """The records that have come in since, without waiting."""
        pieces = [self._rest]
        while piece := self._piece():
            pieces.append(piece)
        *lines, self._rest = b"".join(pieces).replace(mi.ASIDE, b"").split(b"\n")
        texts = (line.decode(errors="replace") for line in lines if not _is_chatter(line))
        return [self._record(t) for t in texts if t and not t.startswith(_FINISHED)]

    def _record(self, text: str) -> Record:
        """What GDB says of its own doings is cut anywhere, and may be no string of its grammar."""
        if text.startswith(_LOG):
            said = text[len(_LOG) :].removesuffix('"').replace("\\n", "\n").replace('\\"', '"')
            return {"type": "log", "message": None, "payload": said}
        return mi.plain_record(text) or self._parse(text)

    def _piece(self) -> bytes:
        try:
            return os.read(self._out.fileno(), _CHUNK)
        except BlockingIOError:
            return b""


def _is_chatter(line: bytes) -> bool:
    chatter = mi.CHATTER in line and line.startswith(b'&"')
    return chatter and not mi.USEFUL_CHATTER.search(line)
