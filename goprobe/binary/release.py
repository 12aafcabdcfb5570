"""Which Go release built a binary: as the user says, else as the binary says, else by what it has.

The build information says it, and so does runtime.buildVersion; debug information names the
compiler. esbuild's own build removes the first, obfuscators overwrite both (`-X
runtime.buildVersion=unknown` changes the build information as well); the functions of the runtime
tell the release all the same.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.buildinfo import BuildInfo, GoVersion, parse_version, written_info
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.find import open_line_table
from goprobe.binary.pcln.landmarks import NEWEST, minor_release
from goprobe.binary.pcln.table import LineTable
from goprobe.elfheaders import PF_W, PT_LOAD
from goprobe.errors import NotGoError, UsageError

_ASSUMED = re.compile(r"(?:go)?(1)\.(\d{1,3})(?:\.(\d{1,3}))?")
_VERSION_LIMIT = 256
_CODE_LIMIT = 1 << 16
_AFTER_DISPLACEMENT = (4, 5, 8)  # where an instruction may end: no, 8-bit or 32-bit immediate


def build_info(elf: ElfFile, debug: DebugInfo, *, assume: str = "") -> BuildInfo:
    """Raises UsageError (`assume` is no release), NotGoError (nothing tells the release)."""
    assumed = _assumed(assume) if assume else None
    written = written_info(elf)
    version = written.version if written else ""
    if assumed:
        release, how = assumed, _contradicted(elf, assumed)
    else:
        release, how = _release(elf, debug, version)
    if written is None:
        return BuildInfo(release, known_by=how)
    return BuildInfo(release, written.path, written.module, written.settings, how)


def _assumed(text: str) -> GoVersion:
    match = _ASSUMED.fullmatch(text)
    if not match:
        raise UsageError(f"--assume-go takes a Go release, not {text!r}", hint="for example 1.27")
    major, minor, patch = (int(part or 0) for part in match.groups())
    return GoVersion(major, minor, patch, f"go{text.removeprefix('go')}")


def _contradicted(elf: ElfFile, assumed: GoVersion) -> str:
    """What speaks against an assumed release, "" where nothing does."""
    try:
        minor = minor_release(open_line_table(elf))
    except NotGoError:
        return ""
    if _agree(assumed, minor):
        return ""
    return f"--assume-go says so, though its runtime has the functions of Go 1.{minor}"


def _release(elf: ElfFile, debug: DebugInfo, written: str) -> tuple[GoVersion, str]:
    """The release, and how it is known ("" by the build information)."""
    version = _parsed(written)
    if debug.present:  # layouts come from there; the version is but a name
        producer = version or _parsed(debug.producer)
        if producer:
            return producer, "" if version else f"its compiler was {producer}"
    try:
        table = open_line_table(elf)
    except NotGoError as error:
        if version:
            return version, ""
        raise NotGoError(
            f"{elf.shown_as} is not a Go program: it carries no Go build information, and"
            f" {error.message.removeprefix(elf.shown_as).strip()}",
            hint="goprobe ps lists the Go processes that run here",
        ) from None
    how = ""
    if not version:
        version = _build_version(elf, table)
        how = "runtime.buildVersion says so"
    minor = minor_release(table)
    if version and _agree(version, minor):
        return version, how
    if not minor:
        raise NotGoError(
            f"{elf.shown_as} is a Go program, but nothing in it tells the Go release that built it",
            hint="--assume-go X.Y reads it as that release's; trust only what the self-check "
            "confirms",
        )
    how = f"its runtime has the functions of Go 1.{minor}"
    said = str(version) if version else ""
    return GoVersion(1, minor, 0, f"go1.{minor}"), f"{how}, though it says {said}" if said else how


def _parsed(text: str) -> GoVersion | None:
    try:
        return parse_version(text)
    except ValueError:
        return None


def _agree(version: GoVersion, minor: int) -> bool:
    """Whether the runtime's functions allow a version; of releases to come they know nothing."""
    return not minor or version.minor == minor or (minor == NEWEST and version.minor > NEWEST)


def _build_version(elf: ElfFile, table: LineTable) -> GoVersion | None:
    """What runtime.buildVersion holds: the string that runtime.schedinit looks at, which is there
    so that the linker keeps it (proc.go, Go 1.21 to 1.27)."""
    image = Image(elf)
    versions = {version for at in _referred(elf, table) if (version := _string_at(elf, image, at))}
    return versions.pop() if len(versions) == 1 else None


def _referred(elf: ElfFile, table: LineTable) -> Iterator[int]:
    """Words of writable data that the code of runtime.schedinit may refer to."""
    function = table.function_named("runtime.schedinit")
    if function is None:
        return
    code = elf.read(function.entry, min(function.end - function.entry, _CODE_LIMIT))
    for at in range(len(code) - 4):
        (displacement,) = struct.unpack_from("<i", code, at)
        for end in _AFTER_DISPLACEMENT:
            target = function.entry + at + end + displacement
            if target % 8 == 0 and _writable(elf, target):
                yield target  # the string's pointer,
                yield target - 8  # or its length


def _writable(elf: ElfFile, address: int) -> bool:
    return any(
        s.type == PT_LOAD and s.flags & PF_W and s.address <= address < s.address + s.file_size
        for s in elf.segments
    )


def _string_at(elf: ElfFile, image: Image, at: int) -> GoVersion | None:
    size = int.from_bytes(elf.read(at + 8, 8), "little")
    if not 0 < size <= _VERSION_LIMIT:
        return None
    text = elf.read(image.pointer(at), size).decode("utf-8", "replace")
    return _parsed(text) if re.match(r"(?:devel )?go\d", text) else None
