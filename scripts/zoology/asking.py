"""Asks goprobe, as a whole process and as a given user: what it said, how long, how much memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_GOPROBE = str(Path(sys.executable).parent / "goprobe")
_MOST_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Ran:
    """One command: its exit code, what it wrote, how long it took (`cpu`: how long it computed),
    the most memory it took (bytes)."""

    command: str
    code: int
    out: bytes
    err: str
    seconds: float
    cpu: float
    memory: int

    @property
    def report(self) -> Any:
        """The JSON report; an empty one where there is none."""
        try:
            return json.loads(self.out)
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class Asker:
    """Runs goprobe as a user, with a home (and so a cache) of its own."""

    uid: int
    home: Path

    def __call__(self, *args: str) -> Ran:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.perf_counter()
            process = subprocess.Popen(
                [*self._prefix(), _GOPROBE, *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._environment(),
                cwd="/",
            )
            code, used = _ended(process, start + _MOST_SECONDS)
            seconds = time.perf_counter() - start
            out.seek(0)
            err.seek(0)
            said = err.read().decode("utf-8", "replace")
            return Ran(
                " ".join(args),
                code,
                out.read(),
                said,
                seconds,
                used.ru_utime + used.ru_stime,
                used.ru_maxrss * 1024,
            )

    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

    def _prefix(self) -> list[str]:
        if self.uid == os.geteuid():
            return []
        identity = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        command = ["setpriv", *identity]
        if subprocess.run([*command, _GOPROBE, "--version"], capture_output=True).returncode != 0:
            # Our interpreter lies in a home that nobody else may enter. Reading files is all that
            # this capability allows; it gives no power over processes.
            command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return command


def asker(uid: int, home: Path) -> Asker:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(home, uid, uid)
    return Asker(uid, home)


def _ended(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, resource.struct_rusage]:
    """The exit code and what it used; one that takes too long is ended, as code -9."""
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used
        if time.perf_counter() > deadline:
            os.kill(process.pid, signal.SIGKILL)  # Popen.kill may wait for it
        time.sleep(0.005)
