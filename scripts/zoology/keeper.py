"""Starts a program as a user of its own, and ends it whatever happens."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scripts.zoology.packages import brought
from scripts.zoology.program import LOCAL, Program, Site

USER = 61234
"""Whom programs run as where we are root: nobody of this machine."""
_READY_WITHIN = 90.0
_ENDS_WITHIN = 20.0


class NotKeptError(Exception):
    """The program did not start, or did not do its work."""


def user() -> int:
    return USER if os.geteuid() == 0 else os.geteuid()


@contextmanager
def kept(program: Program) -> Iterator[Site]:
    """The program, ready. Raises NotKeptError, NotBroughtError."""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"zoo-{program.name}-"))
        Path(scratch).chmod(0o755)
        site = _site(program, Path(scratch))
        program.prepare(site)
        _give(site.folder, site.user)
        process = stack.enter_context(_started(program, site))
        site.pid, site.stdin = process.pid, process.stdin
        _wait_until_ready(program, site, process)
        yield site
        if process.poll() is not None:
            raise NotKeptError(f"it ended with code {process.returncode}; {_last_words(site)}")


def _site(program: Program, scratch: Path) -> Site:
    """A copy of the package, for a user that cannot look into our home."""
    shutil.copytree(brought(program.package), scratch / "package", symlinks=True)
    for path in [scratch / "package", *(scratch / "package").rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    folder = scratch / "home"
    folder.mkdir()
    with ExitStack() as sockets:  # held together, so that no two are alike
        ports = {name: _free_port(sockets) for name in program.ports}
    return Site(folder, scratch / "package", user(), ports)


def _free_port(sockets: ExitStack) -> int:
    listening = sockets.enter_context(socket.socket())
    listening.bind((LOCAL, 0))
    return int(listening.getsockname()[1])


def _give(folder: Path, owner: int) -> None:
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, owner, owner, follow_symlinks=False)


def as_user(owner: int) -> dict[str, object]:
    """The arguments of subprocess that make a child another user's."""
    if os.geteuid() != 0:
        return {}
    return {"user": owner, "group": owner, "extra_groups": []}


@contextmanager
def _started(program: Program, site: Site) -> Iterator[subprocess.Popen[bytes]]:
    binaries = [p for p in site.package.glob(program.binary) if p.is_file()]
    if len(binaries) != 1:
        raise NotKeptError(f"{program.package.folder} holds {len(binaries)} {program.binary}")
    environment = {
        "HOME": str(site.folder),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": str(site.folder),
        "USER": "zoo",
        "GODEBUG": "gctrace=1",
        **program.environment,
    }
    with open(site.log, "wb") as log:
        process = subprocess.Popen(
            [binaries[0], *program.command(site)],
            env=environment,
            cwd=site.folder,
            stdin=subprocess.PIPE if program.stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **as_user(site.user),
        )  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def _wait_until_ready(program: Program, site: Site, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while not _ready(program, site):
        if process.poll() is not None:
            raise NotKeptError(f"it ended with code {process.returncode}; {_last_words(site)}")
        if time.monotonic() > deadline:
            raise NotKeptError(f"not ready within {_READY_WITHIN:.0f} s; {_last_words(site)}")
        time.sleep(0.1)


def _ready(program: Program, site: Site) -> bool:
    try:
        return program.ready(site)
    except OSError:
        return False


def _last_words(site: Site) -> str:
    lines = [line for line in site.said().splitlines() if not line.startswith("gc ")]
    return f"it said {' / '.join(lines[-4:])!r}"
