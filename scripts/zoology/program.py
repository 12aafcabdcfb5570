"""What a program of the zoo is: where it comes from, how it is started, what work it gets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from scripts.zoology.packages import Package

LOCAL = "127.0.0.1"
_MOST_BYTES = 256 << 20
_open = build_opener(ProxyHandler({})).open  # what we ask is on this machine


@dataclass(slots=True)
class Site:
    """Where one run of a program lives: its folder (also its HOME), its files, its ports, and
    what it writes. `user` is whom it runs as."""

    folder: Path
    package: Path
    user: int
    ports: Mapping[str, int]
    pid: int = 0
    stdin: IO[bytes] | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.folder / "output.log"

    def said(self) -> str:
        """All that the program wrote to its output streams."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def address(self, port: str) -> str:
        return f"{LOCAL}:{self.ports[port]}"

    def url(self, port: str, path: str = "/") -> str:
        return f"http://{self.address(port)}{path}"

    def send(self, data: bytes) -> None:
        """To its standard input."""
        assert self.stdin
        self.stdin.write(data)
        self.stdin.flush()

    def write(self, name: str, text: str) -> Path:
        """A file in the folder, which the program may change."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make a file the program's user's."""
        if os.geteuid() == 0:
            os.chown(path, self.user, self.user)


def fetched(
    url: str, body: bytes | None = None, *, kind: str = "", method: str = "", timeout: float = 60
) -> bytes:
    """What a program on this machine answers, once it is not too busy to. Raises OSError (URLError)
    where it does not answer, or not well."""
    request = Request(url, data=body, method=method or None)
    if kind:
        request.add_header("Content-Type", kind)
    deadline = time.monotonic() + timeout
    while True:
        try:
            with _open(request, timeout=timeout) as response:
                return bytes(response.read(_MOST_BYTES))
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        fetched(url, timeout=5)
    except URLError as error:
        return hasattr(error, "code")  # an HTTP error is an answer
    except OSError:
        return False
    return True


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return true


class Program:
    """One program, in one version. It listens on the loopback only, and all work is bounded."""

    binary: str
    """A pattern that one file of the package matches."""
    ports: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    stdin = False
    """Whether it lives for as long as its standard input is open."""

    def __init__(self, name: str, package: Package) -> None:
        self.name = name
        self.package = package

    def prepare(self, site: Site) -> None:
        """Write what it needs before it starts, into the site's folder."""

    def command(self, site: Site) -> list[str]:
        """Its arguments."""
        raise NotImplementedError

    def ready(self, site: Site) -> bool:
        """Whether it can be given work; asked again and again, OSError means no."""
        raise NotImplementedError

    def work(self, site: Site) -> None:
        """Real work, as large as it can be within some twenty seconds."""

    def works(self, site: Site) -> bool:
        """Whether it still answers, and right; a little work, too."""
        raise NotImplementedError

    def pprof(self, site: Site) -> str:
        """The URL of its net/http/pprof pages, "" where it has none."""
        return ""
