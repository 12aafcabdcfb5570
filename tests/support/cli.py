"""goprobe as users run it: a process of its own, its two outputs and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.gdb import gdbs
from tests.support.go import toolchain
from tests.support.schemas import hold_written

PROJECT = Path(__file__).parents[2]
_CONTRADICTS = "ontradicts itself"
HELLO = PROJECT / "testdata" / "hello.go"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    """One in which goprobe finds the tests' tools and knows of no terminal."""
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "GOPROBE_DEBUG")}
    tools = {"GOPROBE_GO": str(toolchain()), "GOPROBE_GDB": str(gdbs()[0].path)}
    return {**kept, **tools, "PYTHONUTF8": "1", **extra}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "goprobe", *map(str, arguments)]


def goprobe(
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 120,
    contradictory: bool = False,
) -> Ran:
    """Runs goprobe to its end; at most `timeout` seconds. What it reports holds, but where it is
    `contradictory`, and is what its schema says."""
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        env=environment(**(env or {})),
        cwd=cwd,
        timeout=timeout,
        check=False,
    )
    told = done.stderr.decode("utf-8", "replace")
    assert contradictory or _CONTRADICTS not in done.stdout.decode("utf-8", "replace") + told
    hold_written(done.stdout)
    return Ran(done.returncode, done.stdout, told)


def started(arguments: Sequence[str | Path], **pipes: Any) -> subprocess.Popen[bytes]:
    """Starts goprobe and does not wait."""
    return subprocess.Popen(command(*arguments), env=environment(), **pipes)
