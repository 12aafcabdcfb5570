"""Words that every format uses for the same thing: kinds of memory, sizes, places in source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from msgspec import UNSET

from goprobe.counts import counted as counted, noun as noun
from goprobe.model.location import Kind
from goprobe.runtime.values.text import quoted

KIND_NAMES: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.RODATA: "rodata",
    Kind.DATA: "data",
    Kind.BSS: "bss",
    Kind.HEAP: "heap",
    Kind.GOROUTINE_STACK: "goroutine stack",
    Kind.SYSTEM_STACK: "system stack",
    Kind.RUNTIME: "runtime",
    Kind.C_HEAP: "C heap",
    Kind.LIBRARY: "library",
    Kind.FILE: "file",
    Kind.VDSO: "vdso",
    Kind.RESERVED: "reserved",
    Kind.UNMAPPED: "unmapped",
}

KIND_MEANINGS: dict[Kind, str] = {
    Kind.TEXT: "machine code",
    Kind.RODATA: "literals, types, tables",
    Kind.DATA: "globals with a value",
    Kind.BSS: "globals, zero at first",
    Kind.HEAP: "objects",
    Kind.GOROUTINE_STACK: "frames of goroutines",
    Kind.SYSTEM_STACK: "stacks of threads",
    Kind.RUNTIME: "Go's own bookkeeping",
    Kind.C_HEAP: "of C, or mapped by the program",
    Kind.LIBRARY: "shared libraries",
    Kind.FILE: "mapped files",
    Kind.VDSO: "the kernel's clock code",
    Kind.RESERVED: "free",
    Kind.UNMAPPED: "nothing",
}

_UNIT = 1024
_MOST = 1 << 100  # a report that is read back may claim more than floating point can hold
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_WHOLE_FROM = 10
_MOST_PORTS = 3
_UNIT_CELLS = 5  # "bytes"
_SHORT_ID = 12  # so many digits of a container's id docker ps shows


@lru_cache(maxsize=4096)
def size(count: int) -> str:
    """Bytes in the unit that a person would choose: "16 bytes", "312 KiB", "1.5 MiB"."""
    if count < _UNIT:
        return counted(count, "byte")
    amount, power = min(count, _MOST) / _UNIT, 0
    while amount >= _UNIT - 0.5 and power + 1 < len(_UNITS):
        amount, power = amount / _UNIT, power + 1
    shown = f"{amount:.0f}" if amount >= _WHOLE_FROM else f"{amount:.1f}".removesuffix(".0")
    return f"{shown} {_UNITS[power]}"


def column_size(count: int) -> str:
    """The same for a column of them, to the right: their units stand under one another."""
    amount, unit = size(count).split(" ")
    return f"{amount} {unit:<{_UNIT_CELLS}}"


@lru_cache(maxsize=4096)
def source(file: str, line: int, function: str = "") -> str:
    """A place in source as short as it stays clear: "hello.go:6", "fmt/print.go:313"."""
    if not file:
        return "no source"
    path = PurePosixPath(file)
    own = function.startswith("main.") or path.parent.name in ("", "/")
    short = path.name if own else f"{path.parent.name}/{path.name}"
    return f"{short}:{line}" if line else short


def short_place(file: str, line: int) -> str:
    """ "…/strconv/itoa.go:45 " where a path is long, "" where there is none."""
    if not file:
        return ""
    parts = file.split("/")
    shown = f"…/{'/'.join(parts[-2:])}" if file.startswith("/") and len(parts) > 3 else file
    return f"{shown}:{line} "


def listed(items: list[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def number(count: int) -> str:
    """ "1,019,863"."""
    return f"{count:,}"


def signed(count: int) -> str:
    """ "+1,019,863", "-7", "+0"."""
    return f"{count:+,}"


def signed_size(count: int) -> str:
    """ "+1.5 MiB", "-312 KiB"."""
    return f"{'-' if count < 0 else '+'}{size(abs(count))}"


def state(status: str, reason: str) -> str:
    """What a goroutine does: "running", "waiting: chan receive"."""
    return f"{status}: {reason}" if reason and reason != status else status


def percent(part: int, whole: int) -> str:
    """ "38 %", "<1 %"."""
    share = 100 * part / max(whole, 1)
    return f"{share:.0f} %" if share >= 1 else "<1 %"


def duration(microseconds: int) -> str:
    """ "3 ms", "12 s", "4 min", "2 h"."""
    seconds = microseconds / 1_000_000
    if seconds < 1:
        return f"{microseconds // 1000} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def signed_duration(microseconds: int) -> str:
    """ "+12 s", "-4 min"."""
    return f"{'-' if microseconds < 0 else '+'}{duration(abs(microseconds))}"


def asked_of(pid: int, pause_us: int) -> str:
    """What stands for the process in a line to type; a core, which cost no time, has no pid."""
    return str(pid) if pause_us else "CORE --exe BINARY"


def to_type(text: str, pid: int, pause_us: int) -> str:
    """A report's sentence with the process in the lines to type that it names."""
    return re.sub(r"\bPID\b", asked_of(pid, pause_us), text)


def stood_still(pid: int, pause_us: int) -> str:
    """How long the target was held for the answer. Only a core file costs no time at all."""
    if not pause_us:
        return f"Process {pid} as its core file has it." if pid else "Read from a core file."
    shown = f"{pause_us / 1000:.1f} ms" if pause_us >= 1000 else f"{pause_us} microseconds"
    return f"Process {pid} stood still for {shown}."


def cell(value: object, unit: str = "") -> str:
    """A value in a table; "" for what is not there."""
    if value is UNSET:
        return ""
    if unit == "bytes" and isinstance(value, int):
        return size(value)
    if unit == "yes":
        return "yes" if value else ""
    if unit == "count" and isinstance(value, int):
        return number(value)
    if unit == "ports" and isinstance(value, tuple):
        more = f" +{len(value) - _MOST_PORTS}" if len(value) > _MOST_PORTS else ""
        return " ".join(f":{port}" for port in value[:_MOST_PORTS]) + more
    if unit == "id":
        return str(value)[:_SHORT_ID]
    return str(value)


_MOST_OF_A_LABEL = 60


def labels(pairs: Mapping[str, str], why_not: str) -> str:
    """The pprof labels of a goroutine: worker=3 "the queue"=mail."""
    if why_not:
        return f"not told: {why_not}"
    return " ".join(f"{_label(key)}={_label(value)}" for key, value in pairs.items())


def _label(text: str) -> str:
    cut = text if len(text) <= _MOST_OF_A_LABEL else f"{text[:_MOST_OF_A_LABEL]}…"
    plain = cut and not any(c in ' ="' for c in cut)
    return cut if plain else quoted(cut)


# Package paths as short as they stay clear

_PATH = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+(?=\.[\w(\[])")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')  # a string's value, a map's key: what it says stays so
_TEXT_OR_PATH = re.compile(f"{_TEXT.pattern}|{_PATH.pattern}")


def short_paths(names: Iterable[str]) -> dict[str, str]:
    """Each package path in these names, and as many of its last parts as no other path ends in."""
    names = {_TEXT.sub("", name) if '"' in name else name for name in names}
    paths = {match for name in names for match in _PATH.findall(name)}
    bare = set(re.findall(r"(?<![\w./~-])([\w~-]+)(?=\.[\w(\[])", " ".join(names)))
    # "x/b.T", of the method x/b.T.m, is of the package x/b.
    packages = {*map(_package, paths), *bare}
    ends = Counter(end for package in packages for end in _ends(package))
    return {path: _clear_end(path, ends) for path in paths}


def _package(path: str) -> str:
    folder, _, last = path.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"


def _clear_end(path: str, ends: Mapping[str, int]) -> str:
    """ "b.T", or "x/b.T" where another package is called b, too."""
    both = zip(_ends(path), _ends(_package(path)), strict=True)
    return next((end for end, package in both if ends[package] == 1), path)


def _ends(path: str) -> Iterator[str]:
    """ "syntax", "regexp/syntax": the shortest first."""
    parts = path.split("/")
    return ("/".join(parts[-n:]) for n in range(1, len(parts) + 1))


def shortened(name: str, short: dict[str, str]) -> str:
    """A name with the paths in it as `short_paths` has them."""
    pattern = _TEXT_OR_PATH if '"' in name else _PATH
    return pattern.sub(lambda match: short.get(match.group(), match.group()), name)
