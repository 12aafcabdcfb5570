"""Where a report goes: checked before the work starts, written in one piece after it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec
from msgspec.structs import replace

from goprobe.cli.encoding import obeys_escapes, speaks_utf8
from goprobe.cli.options import Output
from goprobe.errors import CannotWorkError, UsageError
from goprobe.files import place_to_write
from goprobe.model.report import Report
from goprobe.report import RenderOptions, formats, handles, render_parts
from goprobe.report.escaping import escape

_WIDTH = 80
_STDOUT = 1
_STDERR = 2
_NOT_FOR_EYES = ("pprof", "html")
_NEW_FILE_MODE = 0o666


Data = bytes | Iterator[bytes]
"""As a whole, or part by part."""


class _Measured(Iterator[bytes]):
    """Parts, and how many bytes they had so far."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self.size = parts, 0

    def __next__(self) -> bytes:
        part = next(self._parts)
        self.size += len(part)
        return part


class Destination(msgspec.Struct, frozen=True):
    """A place that was found writable, and the format it is to get."""

    format: str
    options: RenderOptions
    write: Callable[[Data], None]
    program_stdout: int
    """The descriptor for the Go program's own output: stderr where stdout carries our data."""
    streams: bool = False
    """Whether it can be written to piece by piece: a file is replaced as a whole."""
    path: str = ""
    """The file; "" for stdout."""
    beside: tuple[Destination, ...] = ()
    """Files that the report goes to as well."""

    def deliver(
        self, report: object, *, variables: tuple[str, ...] = (), before: bytes = b""
    ) -> None:
        """Writes the report; `variables` are those that the reader asked for, `before` is what
        stands before it in a file. What the report
        says against itself is told in its text, or on stderr where it is written otherwise; what
        is wrong with what it was made from, always there."""
        self._put(report, variables, before)
        self.deliver_beside(report, variables=variables)
        if isinstance(report, Report):
            self._tell_of_faults(report)

    def tell(self, line: str) -> None:
        """A line before the report: where that is text for stdout in its place, else on stderr."""
        if self.format == "text" and self.streams:
            unicode = self.options.unicode
            self.write(escape(line, ascii_only=not unicode).encode(errors="replace") + b"\n")
        else:
            from goprobe.cli.run import say

            say(f"goprobe: {line}")

    def deliver_beside(self, report: object, *, variables: tuple[str, ...] = ()) -> None:
        """Writes the other files alone."""
        for other in self.beside:
            other._put(report, variables, b"")

    def _put(self, report: object, variables: tuple[str, ...], before: bytes) -> None:
        options = replace(self.options, variables=variables)
        parts = _Measured(chain((before,), render_parts(report, self.format, options)))
        self.write(parts)
        if self.path:
            from goprobe.cli.run import say
            from goprobe.report.words import size

            say(f"goprobe: wrote {self.path} ({self.format}, {size(parts.size)})")

    def _tell_of_faults(self, report: Report) -> None:
        from goprobe.cli.run import say

        for doubt in report.doubts:
            say(f"goprobe: {doubt}")
        for fault in report.contradictions if self.format != "text" else ():
            say(f"goprobe: warning: this report contradicts itself: {fault.says}")


def destination(output: Output, report_type: type) -> Destination:
    """The place for a report of this struct type.

    Raises UsageError where the format does not exist for it or the file cannot be written.
    """
    files = output.files
    for name in output.formats:
        if not handles(report_type, name):
            raise UsageError(
                f"there is no format {name!r} for this report",
                hint=f"formats: {', '.join(formats(report_type))}",
            )
    places = [_file(form, path, output.verbose) for form, path in files]
    first = next((p for p in places if p.path in (output.path or ())), None)  # no FORMAT= before it
    first = first or _stdout(output)
    return replace(first, beside=tuple(p for p in places if p is not first))


def _file(form: str, path: str, verbose: bool) -> Destination:
    if path == "-":
        raise UsageError("- is no file", hint=f"--format {form} writes to standard output")
    options = RenderOptions(width=_columns(), verbose=verbose)
    return Destination(form, options, file_writer(Path(path)), _STDOUT, path=path)


def _stdout(output: Output) -> Destination:
    """Raises UsageError where it is closed, or is a terminal that would get a page or a profile."""
    name = output.format_name
    if sys.stdout is None:
        raise UsageError("standard output is closed", hint="-o FILE writes to a file")
    if name in _NOT_FOR_EYES and sys.stdout.isatty():
        raise UsageError(f"{name} is not for a terminal", hint="-o FILE writes to a file")
    program_stdout = _STDERR if name != "text" else _STDOUT
    look = _stdout_look(output.verbose)
    return Destination(name, look, _to_stdout, program_stdout, streams=True)


def _stdout_look(verbose: bool) -> RenderOptions:
    unicode = speaks_utf8(sys.stdout)
    return RenderOptions(width=_columns(), colour=_wants_colour(), unicode=unicode, verbose=verbose)


def _columns() -> int:
    """COLUMNS, else the terminal's width, else 80."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def _wants_colour() -> bool:
    return obeys_escapes(sys.stdout) and not os.environ.get("NO_COLOR")


def _parts(data: Data) -> Iterable[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _to_stdout(data: Data) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(_parts(data))
    sys.stdout.buffer.flush()


def file_writer(path: Path) -> Callable[[Data], None]:
    """How to write this file; raises UsageError now where it would fail later."""
    try:
        place = place_to_write(path)
        mode = place.stat().st_mode if place.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"cannot write {path}: it is a directory")
        if mode is not None and not stat.S_ISREG(mode):
            return lambda data: _write_in_place(place, data)  # a device or pipe is not replaced
        _probe(place)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return lambda data: _replace(place_to_write(path), data)


def _probe(path: Path) -> None:
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(None, "Permission denied")
    descriptor, name = _scratch(path)
    os.close(descriptor)
    Path(name).unlink()


def _scratch(path: Path) -> tuple[int, str]:
    """A new file beside `path`, in whose place it can be renamed."""
    return tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)


def _replace(path: Path, data: Data) -> None:
    """The whole report or, whatever happens, what was there before."""
    try:
        descriptor, name = _scratch(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(_parts(data))
                os.fchmod(file.fileno(), _mode_of(path))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWorkError(f"cannot write {path}: {error.strerror}") from None


def _mode_of(path: Path) -> int:
    """The mode of the file that is replaced, or of one that open() would make."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return _NEW_FILE_MODE & ~mask


def _write_in_place(path: Path, data: Data) -> None:
    try:
        with path.open("wb") as file:
            file.writelines(_parts(data))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWorkError(f"cannot write {path}: {error.strerror}") from None
