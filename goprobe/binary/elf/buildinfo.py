"""The build information that every Go binary carries: Go version, module, build settings.

Format: src/debug/buildinfo/buildinfo.go (Go 1.18 on: pointer-free, flag bit 1 set). It is found
in section .go.buildinfo, and stays there in stripped binaries.
"""

from __future__ import annotations

import re

import msgspec

from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import NotGoError

_MAGIC = b"\xff Go buildinf:"
_LIMIT = 1 << 20


class GoVersion(msgspec.Struct, frozen=True, order=True):
    """A Go release, ordered. `text` is as the binary says it ("go1.27.3")."""

    major: int
    minor: int
    patch: int = 0
    text: str = ""

    def __str__(self) -> str:
        return self.text or f"go{self.major}.{self.minor}.{self.patch}"

    @property
    def version(self) -> str:
        """As reports name it: "1.27.3"."""
        return str(self).removeprefix("go")


def parse_version(text: str) -> GoVersion:
    """The release in "go1.27.3", "devel go1.28-abc Mon", "Go cmd/compile go1.27.3; regabi".

    Raises ValueError where `text` names none ("devel …" without a number).
    """
    match = re.search(r"\bgo(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?[^\s;]*", text)
    if not match:
        raise ValueError(text)
    return GoVersion(int(match[1]), int(match[2]), int(match[3] or 0), match[0])


class BuildInfo(msgspec.Struct, frozen=True):
    """`settings` are the `build` lines of `go version -m` ("-gcflags", "CGO_ENABLED", …).

    `known_by` says how the release is known where it does not come from this information.
    """

    go: GoVersion
    path: str = ""
    module: str = ""
    settings: dict[str, str] = {}
    known_by: str = ""

    @property
    def optimized(self) -> bool:
        flags = self.settings.get("-gcflags", "").replace("=", " ").split()
        return "-N" not in flags

    @property
    def redzones(self) -> bool:
        """Whether each heap object is followed by bytes that nobody uses (-asan)."""
        return self.settings.get("-asan") == "true"


class WrittenInfo(msgspec.Struct, frozen=True):
    """The information as it stands in the binary: `version` may be anything."""

    version: str
    path: str
    module: str
    settings: dict[str, str]


def written_info(elf: ElfFile) -> WrittenInfo | None:
    """None where the binary carries none. Raises NotGoError where a Go before 1.18 wrote it."""
    section = elf.section(".go.buildinfo")
    blob = elf.contents(section) if section else b""
    if not blob.startswith(_MAGIC):
        blob = _search(elf)
    if len(blob) < 32:
        return None
    if not blob[15] & 2:
        raise NotGoError(f"{elf.shown_as} was built by a Go older than 1.18; goprobe reads 1.21 on")
    version, at = _string(blob, 32)
    settings_text, _ = _string(blob, at)
    return _parse(
        version.decode("utf-8", "replace"), settings_text[16:-16].decode("utf-8", "replace")
    )


def _search(elf: ElfFile) -> bytes:
    # A linker script may have renamed the section; the magic is 16-byte aligned in a data segment.
    for segment in elf.segments:
        if segment.type == 1 and segment.flags & 2:
            data = elf.file_bytes(segment.offset, segment.file_size)
            at = data.find(_MAGIC)
            while at >= 0:
                if at % 16 == 0:
                    return data[at : at + _LIMIT]
                at = data.find(_MAGIC, at + 1)
    return b""


def _string(blob: bytes, at: int) -> tuple[bytes, int]:
    size = shift = 0
    while at < len(blob) and shift < 35:
        byte = blob[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return blob[at : at + size], at + size


def _parse(version: str, text: str) -> WrittenInfo:
    path = module = ""
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        if kind == "path":
            path = rest
        elif kind == "mod":
            module = rest.split("\t")[0]
        elif kind == "build":
            key, _, value = rest.partition("=")
            settings[key.strip('"')] = value.strip('"').replace('\\"', '"')
    return WrittenInfo(version, path, module, settings)


__all__ = ["BuildInfo", "GoVersion", "WrittenInfo", "parse_version", "written_info"]
