"""Parts of a file on disk as what a cache is keyed by: their digest, and how it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from goprobe.binary.cache import identity_of, known_digest, remember_digest
from goprobe.binary.elf.elf import SHT_NOBITS, SHT_SYMTAB, ElfFile, Section
from goprobe.elfheaders import PT_LOAD

_DEBUG = ("info", "abbrev", "str", "line_str", "str_offsets", "addr")
_SAMPLES = 16
_SAMPLE = 4096

FileRange = tuple[int, int]
"""(offset, size) in the file"""


class FileParts:
    """Some stretches of a file, with a name that says which. `pin`: the bytes that were hashed
    are the ones that will be read, whatever becomes of the file meanwhile."""

    def __init__(self, elf: ElfFile, name: str, spans: Sequence[FileRange], *, pin: bool) -> None:
        self._elf = elf
        self._spans = spans
        self._pin = pin
        self._identity = identity_of(elf.status, f"{name} {spans}")
        self._known = ""
        self._read = ""

    def known(self) -> str:
        self._known = self._known or known_digest(self._identity, self._sample)
        return self._known

    def read(self) -> str:
        if not self._read:
            self._read = self._known = self._digest()
            if self._unchanged():
                remember_digest(self._identity, self._read, self._sample)
        return self._read

    def _digest(self) -> str:
        digest = hashlib.sha256(repr(self._spans).encode())
        for offset, size in self._spans:
            digest.update(
                self._elf.pin(offset, size) if self._pin else self._elf.view(offset, size)
            )
        return digest.hexdigest()

    def _unchanged(self) -> bool:
        try:
            now, then = Path(self._elf.path).stat(), self._elf.status
        except OSError:
            return False
        return all(
            getattr(now, name) == getattr(then, name)
            for name in ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
        )

    def _sample(self, digest: str) -> str:
        """A digest of some pages, which ones only somebody who knows `digest` can tell."""
        hashed = hashlib.blake2b(digest_size=16)
        total = sum(size for _, size in self._spans)
        for number in range(_SAMPLES if total else 0):
            chosen = hashlib.blake2b(f"{digest} {number}".encode(), digest_size=8).digest()
            at = int.from_bytes(chosen, "little") % total
            for offset, size in self._spans:
                if at < size:
                    hashed.update(self._elf.view(offset + at, min(_SAMPLE, size - at)))
                    break
                at -= size
        return hashed.hexdigest()


class Derived:
    """A source, and what else of it decides what is made: a release, say."""

    def __init__(self, source: FileParts, extra: str) -> None:
        self._source = source
        self._extra = extra

    def known(self) -> str:
        digest = self._source.known()
        return digest and f"{digest} {self._extra}"

    def read(self) -> str:
        return f"{self._source.read()} {self._extra}"


def debug_parts(elf: ElfFile) -> FileParts:
    """What types, functions and globals are learnt from."""
    return FileParts(elf, "debug", [(s.offset, s.size) for s in _debug_sections(elf)], pin=True)


def _debug_sections(elf: ElfFile) -> Iterator[Section]:
    for name in _DEBUG:
        section = elf.section(f".debug_{name}") or elf.section(f".zdebug_{name}")
        if section and section.type != SHT_NOBITS:
            yield section
    for section in elf.sections:
        if section.type == SHT_SYMTAB and section.link < len(elf.sections):
            yield from (section, elf.sections[section.link])
            return


def loaded_parts(elf: ElfFile) -> FileParts:
    """All of the file that the loader maps."""
    spans = [(s.offset, s.file_size) for s in elf.segments if s.type == PT_LOAD and s.file_size]
    return FileParts(elf, "loaded", spans, pin=False)
