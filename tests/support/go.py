"""Real Go programs for tests: built once, then kept; started until they say that they are ready.

    binary = build("package main ...")                    # the newest Go there is
    binary = build(Path("testdata/hello.go"), go="1.21", flags=("-gcflags=all=-N -l",))
    with running(binary, "arg") as program:
        program.pid, program["x"]                         # the line `x 0xc000012345`

Toolchains are looked for in $GOPROBE_TOOLCHAINS, else in ~/.cache/goprobe/toolchains (go-*/go),
and on PATH. Binaries are kept in $GOPROBE_TEST_BINARIES, else ~/.cache/goprobe/test-binaries, by
what they were built from.
"""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

_HOME = Path("~/.cache/goprobe").expanduser()
_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
_DEADLINE = 60.0
# Go's own cache, whatever a test says of the caches of goprobe: an empty one costs a build of the
# standard library, ten seconds and more. As `go env GOCACHE` has it without a word of the user's.
_GOCACHE = os.environ.get("GOCACHE") or str(
    Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "go-build"
)

Version = tuple[int, ...]


def _version_of(go: Path) -> Version:
    """What a `go` program says it is; () where it cannot say."""
    try:
        said = subprocess.run(
            [go, "env", "GOVERSION"], env=_environment(), capture_output=True, text=True, timeout=60
        ).stdout
    except OSError:
        return ()
    match = _VERSION.match(said.strip())
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    fixed = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off", "GOWORK": "off"}
    return {**os.environ, **fixed, "GOCACHE": _GOCACHE, "CGO_ENABLED": "0", **(extra or {})}


@cache
def toolchains() -> dict[Version, Path]:
    """Every Go here by version, oldest first: the newest patch of each minor release."""
    roots = Path(os.environ.get("GOPROBE_TOOLCHAINS") or _HOME / "toolchains")
    programs = sorted(roots.glob("go-*/go/bin/go"))
    if on_path := shutil.which("go"):
        programs.append(Path(on_path))
    newest: dict[Version, tuple[Version, Path]] = {}
    for program in programs:
        version = _version_of(program)
        if version and version > newest.get(version[:2], ((), program))[0]:
            newest[version[:2]] = (version, program)
    return dict(sorted(newest.values()))


def releases() -> list[str]:
    """The Go releases here as "1.21", oldest first. With GOPROBE_MATRIX=all tests take each."""
    return [f"{major}.{minor}" for major, minor, *_ in toolchains()]


def matrix() -> list[str]:
    """The releases to test with: all of them under GOPROBE_MATRIX=all, else the newest."""
    return releases() if whole_matrix() else releases()[-1:]


def whole_matrix() -> bool:
    return os.environ.get("GOPROBE_MATRIX") == "all"


def toolchain(go: str | None = None) -> Path:
    """The `go` of a release ("1.27"), the newest for None. Fails loudly where there is none."""
    found = toolchains()
    for (major, minor, *_), program in reversed(found.items()):
        if go in (None, f"{major}.{minor}"):
            return program
    raise AssertionError(
        f"no Go {go or ''} for the tests: put it in $GOPROBE_TOOLCHAINS or on PATH"
        f" (there is {', '.join(releases()) or 'none'})"
    )


def has_gcc() -> bool:
    return shutil.which("gcc") is not None


def build(
    source: str | Path,
    *,
    go: str | None = None,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Path:
    """The binary of a Go source: its text, a .go file, or a directory with a go.mod.

    cgo is off unless `env` has CGO_ENABLED=1. Fails with the compiler's lines.
    """
    program = toolchain(go)
    path = source if isinstance(source, Path) else None
    if path is None and "\n" not in str(source):
        path = Path(source)
    home = _binaries() / _key(source if path is None else path, program, flags, env)
    binary = home / (path.stem if path else "program")
    if not binary.exists():
        home.mkdir(parents=True, exist_ok=True)
        if path is None:
            path = home / "main.go"
            _replace(path, str(source).encode())
        _compile(program, path.resolve(), binary, flags, env)
    elif path is not None:
        binary.touch()  # the very sources that it was built from may have been checked out again
    return binary


def _binaries() -> Path:
    return Path(os.environ.get("GOPROBE_TEST_BINARIES") or _HOME / "test-binaries")


def _key(source: str | Path, go: Path, flags: Sequence[str], env: Mapping[str, str] | None) -> str:
    version = next(version for version, path in toolchains().items() if path == go)
    digest = hashlib.sha256(repr((version, tuple(flags), sorted((env or {}).items()))).encode())
    if isinstance(source, str):
        digest.update(source.encode())
    else:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file():
                digest.update(f"{file}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:24]


def _replace(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _compile(
    go: Path, source: Path, binary: Path, flags: Sequence[str], env: Mapping[str, str] | None
) -> None:
    unfinished = binary.with_name(f"{binary.name}.{os.getpid()}")
    cwd, what = (source, ".") if source.is_dir() else (source.parent, source.name)
    done = subprocess.run(
        [go, "build", *flags, "-o", unfinished, what],
        cwd=cwd,
        env=_environment(env),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"go build {what}: {done.stdout}{done.stderr}"
    unfinished.replace(binary)


@dataclass
class Running:
    """A program that has said "ready". `lines` are those before it; `self[key]` the rest of the
    last line that began with that word."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    lines: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _whole: deque[bytes] = field(default_factory=deque)

    @property
    def pid(self) -> int:
        return self.process.pid

    def __getitem__(self, key: str) -> str:
        for line in reversed(self.lines):
            word, _, rest = line.partition(" ")
            if word == key:
                return rest
        raise KeyError(f"the program printed no {key!r} but {self.lines}")

    def address(self, key: str) -> int:
        """The line's first word as hexadecimal: what %p or uintptr with %#x printed."""
        return int(self[key].split()[0], 16)

    def say(self, text: str) -> None:
        """A line to its standard input."""
        assert self.process.stdin
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def read_line(self, timeout: float = _DEADLINE) -> str:
        """The next line of its standard output; AssertionError at its end or too late."""
        deadline = time.monotonic() + timeout
        while not self._whole:
            self._receive(deadline, timeout)
        return self._whole.popleft().decode("utf-8", "replace")

    def _receive(self, deadline: float, timeout: float) -> None:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline - time.monotonic()):
                raise AssertionError(f"no line within {timeout} s; {self.complaints()}")
        chunk = os.read(self.process.stdout.fileno(), 1 << 16)
        if not chunk:
            raise AssertionError(f"it ended its output; {self.complaints()}")
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        self._whole += whole

    def read_until(self, word: str, timeout: float = _DEADLINE) -> list[str]:
        """The lines before the one that begins with `word`, all added to `lines`."""
        deadline = time.monotonic() + timeout
        fresh: list[str] = []
        while (line := self.read_line(deadline - time.monotonic())).split(" ")[0] != word:
            fresh.append(line)
        self.lines += [*fresh, line]
        return fresh

    def complaints(self) -> str:
        """Its state and standard error, for a failing test's message."""
        self.errors.seek(0)
        said = self.errors.read()
        if len(said) > 5000:  # why a program crashed is said first
            said = said[:1000] + b"\n[...]\n" + said[-4000:]
        words = said.decode("utf-8", "replace")
        return f"exit code {self.process.poll()}, standard error: {words!r}"


@contextmanager
def running(
    binary: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    ready: str = "ready",
    timeout: float = _DEADLINE,
    user: int | None = None,
    cwd: Path | None = None,
) -> Iterator[Running]:
    """Start a program and wait until it prints a line that begins with `ready`; kill it after.

    `user` is the number of the user that it runs as, ours by default.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [binary, *args],
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            user=user,
            cwd=cwd,
        )
        program = Running(process, errors)
        try:
            program.read_until(ready, timeout)
            yield program
        finally:
            process.kill()
            process.wait(_DEADLINE)
            assert process.stdin and process.stdout
            process.stdin.close()
            process.stdout.close()
