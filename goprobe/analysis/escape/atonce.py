"""Several packages looked at a time, as `go test` runs their tests: each in a process forked from
this one, which is gone with all that reading its code took."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.studied import Studied, Told
from goprobe.cachefolder import unnamed_file
from goprobe.files import write_all
from goprobe.model.codec import packed, unpacker
from goprobe.process.crew import share_out
from goprobe.toolchain.escapebuild import EscapeBuild

_LARGE = 8 << 20
"""Bytes that the compiler said: of net/http's 19 MiB come some 300 MiB, of most packages 30."""
_READER = "goprobe.analysis.escape.codereader"
Look = Callable[[EscapeBuild, EscapeRequest], Iterable[Studied]]
"""What looks at one of them, as often as it is run."""


class _Made(msgspec.Struct, frozen=True):
    """Of one package, and what its tests wrote; whether its code had to be read."""

    read: bool
    told: list[Told]
    output: bytes
    complaints: bytes


def at_once(
    builds: Sequence[EscapeBuild],
    request: EscapeRequest,
    look: Look,
    take: Callable[[int, Iterable[Studied]], None],
) -> None:
    """Looks at each of them, and takes what that told, in any order: first, while little is held of
    others, those that take much memory, never two of these at once. What no process of its own
    could do is done here. Raises as `look`."""
    done: set[int] = set()
    outputs = _Outputs(request, len(builds))
    unpack = unpacker(_Made)

    def work(number: int) -> bytes:
        return packed(_made(builds[number], request, look))

    def taken(number: int, data: bytes) -> None:
        made: _Made = unpack(data)
        if made.read:  # those who are started later have it from us, and do not load it again
            import_module(_READER)
        take(number, [_studied(told, builds[number]) for told in made.told])
        done.add(number)
        outputs.add(number, made)

    outputs.say()
    large = [number for number, build in enumerate(builds) if build.said_size > _LARGE]
    interrupted = share_out(len(builds), work, taken, request.at_once, apart=large)
    left = [number for number in range(len(builds)) if number not in done]
    if left and interrupted:
        raise KeyboardInterrupt
    outputs.end()
    for number in left:
        take(number, look(builds[number], request))


def _made(build: EscapeBuild, request: EscapeRequest, look: Look) -> _Made:
    """In a process of its own. Tests read nothing, as under `go test` of several packages."""
    with unnamed_file() as output, unnamed_file() as others, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        together = os.path.sameopenfile(request.stdout, request.stderr)
        complaints = output if together else others
        own = replace(request, stdout=output.fileno(), stderr=complaints.fileno(), progress=None)
        told = [_told(each) for each in look(build, own)]
        return _Made(_READER in sys.modules, told, _written(output), _written(others))


def _written(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _told(studied: Studied) -> Told:
    return Told(**{name: getattr(studied, name) for name in Told.__struct_fields__})


def _studied(told: Told, build: EscapeBuild) -> Studied:
    return Studied(build=build, **{n: getattr(told, n) for n in Told.__struct_fields__})


class _Outputs:
    """What tests wrote, told in the order of the packages."""

    def __init__(self, request: EscapeRequest, count: int) -> None:
        self._request, self._count = request, count
        self._next, self._done = 0, 0
        self._held: dict[int, _Made] = {}

    def add(self, number: int, made: _Made) -> None:
        self._held[number] = replace(made, told=[])
        self._done += 1
        while self._next in self._held:
            self._write(self._held.pop(self._next))
            self._next += 1
        self.say()

    def end(self) -> None:
        """Tell the rest: of those before nothing will come."""
        for number in sorted(self._held):
            self._write(self._held.pop(number))
        self._say("")

    def say(self) -> None:
        self._say(f"looking at packages: {self._done} of {self._count} done")

    def _say(self, text: str) -> None:
        if self._request.progress:
            self._request.progress(text)

    def _write(self, made: _Made) -> None:
        for fd, data in (
            (self._request.stdout, made.output),
            (self._request.stderr, made.complaints),
        ):
            if data:
                self._say("")
                with suppress(OSError):  # nobody reads it any more
                    write_all(fd, data)
