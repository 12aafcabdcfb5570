"""A Go program that runs on its own, and may be asked as any process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from goprobe.api.process import Process
from goprobe.errors import TargetError, TargetTimeoutError
from goprobe.target.live import open_target

_LOOK = 0.01  # seconds between two looks at what it has written
_GRACE = 5.0  # seconds that it has to end after SIGTERM
_MOST = 1 << 20  # bytes of its output that are looked through
_SHOWN = 2000  # characters of it in a message


class Started(Process):
    """A program that a test has started. `child` is its process; what it writes to stdout and
    stderr is in the file `output`."""

    def __init__(self, child: subprocess.Popen[bytes], output: Path) -> None:
        self.child = child
        self.output = output
        super().__init__(open_target(child.pid))

    @property
    def written(self) -> str:
        """What it has written so far, at most the last MiB."""
        return _tail(self.output, _MOST)

    def stop(self) -> int:
        """End it (SIGTERM, after five seconds SIGKILL); its exit status, as subprocess has it."""
        return stop(self.child)


def start(
    binary: Path,
    args: Sequence[str],
    *,
    output: Path,
    env: Mapping[str, str] | None,
    cwd: str | Path | None,
    stdin: bytes | None,
    ready: str,
    within: float,
) -> Started:
    """Start a built program and wait for `ready` in its output. Raises TargetError where it ends
    before that, TargetTimeoutError after `within` seconds."""
    __tracebackhide__ = True
    given = output.with_suffix(".in")
    given.write_bytes(stdin or b"")
    with output.open("wb") as out, given.open("rb") as source:
        child = subprocess.Popen(
            [str(binary), *args],
            stdin=subprocess.PIPE if stdin is None else source,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    try:
        _wait(child, binary.name, output, ready, within)
        return Started(child, output)
    except BaseException:
        stop(child)
        raise


def stop(child: subprocess.Popen[bytes]) -> int:
    if child.stdin:
        with suppress(OSError):  # it may have closed its end with bytes on the way
            child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            return child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _wait(
    child: subprocess.Popen[bytes], name: str, output: Path, ready: str, within: float
) -> None:
    __tracebackhide__ = True
    until = time.monotonic() + within
    while ready and ready not in _tail(output, _MOST):
        if child.poll() is not None and ready not in _tail(output, _MOST):
            raise TargetError(
                f"{name} ended with status {child.returncode} before it wrote {ready!r}; "
                f"it wrote {_tail(output, _SHOWN)!r}"
            )
        if time.monotonic() > until:
            raise TargetTimeoutError(
                f"{name} did not write {ready!r} within {within:g} s; "
                f"it wrote {_tail(output, _SHOWN)!r}"
            )
        time.sleep(_LOOK)


def _tail(file: Path, most: int) -> str:
    with file.open("rb") as text:
        text.seek(max(file.stat().st_size - most, 0))
        return text.read(most).decode(errors="replace")
