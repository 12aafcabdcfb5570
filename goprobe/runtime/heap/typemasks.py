"""Which words of a type hold pointers, by the runtime's own masks.

Source: src/internal/abi/type.go (Type.GCData, TFlagGCMaskOnDemand since 1.24, KindGCProg before),
src/runtime/type.go (getGCMask, buildGCMask), Go 1.21 to 1.27.
"""

from __future__ import annotations

import msgspec
import numpy as np

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_record

_WORD = 8
_KIND_MASK = 31  # KindMask, up to Go 1.25; the bits above are flags
_KIND_GC_PROGRAM = 1 << 6  # KindGCProg, up to Go 1.23
_ARRAY, _STRUCT = 17, 25  # abi.Kind
_MASK_LIMIT = 1 << 27  # bytes of a type
_FIELDS_LIMIT = 1 << 16
_DEPTH_LIMIT = 64  # a part of a type is at most half as large as the whole, or its only part


class Mask(msgspec.Struct, frozen=True):
    """`words` is the type's size in words; `pointers` which of them hold pointers, ascending.

    An object repeats the mask over its whole size. `words` 0: the type could not be read.
    """

    words: int
    pointers: Ints


_NONE = Mask(0, np.zeros(0, np.int64))


class TypeMasks:
    """The masks of types by the addresses of their descriptors, each read once."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._struct = layout.struct("internal/abi.Type")
        self._on_demand = layout.constants.get("internal/abi.TFlagGCMaskOnDemand", 0)
        self._masks: dict[int, Mask] = {}

    def of(self, rtype: int) -> Mask:
        """The mask of the type whose abi.Type is at `rtype`; of no words where there is none."""
        if rtype not in self._masks:
            try:
                self._masks[rtype] = self._read(rtype)
            except UnreadableError:
                self._masks[rtype] = _NONE
        return self._masks[rtype]

    def _read(self, rtype: int) -> Mask:
        record = read_record(self._memory, self._struct, rtype)
        size, prefix = record["Size_"], record["PtrBytes"]
        if size % _WORD or prefix % _WORD or prefix > size or not 0 < size <= _MASK_LIMIT:
            # Types that hold pointers are whole words long; a larger one is an array of them.
            if record["Kind_"] & _KIND_MASK == _ARRAY and prefix <= size:
                return self._read(u64(self._memory, rtype + self._struct.size))
            return _NONE
        if not self._built(record):
            return self._derived(record, 0)
        return Mask(size // _WORD, self._bits(self._data(record), prefix // _WORD))

    def _built(self, record: Record) -> bool:
        """Whether a mask of this very type lies in memory now."""
        if record["Kind_"] & _KIND_GC_PROGRAM and not self._on_demand:
            return False
        if record["TFlag"] & self._on_demand:
            # nil, or the address of runtime.inProgress (a byte), until it is built.
            return bool(self._data(record)) and self._data(record) % _WORD == 0
        return True

    def _data(self, record: Record) -> int:
        at = record["GCData"]
        return u64(self._memory, at) if record["TFlag"] & self._on_demand else at

    def _bits(self, address: int, count: int) -> Ints:
        if not count:
            return _NONE.pointers
        raw = self._memory.read(address, (count + 7) // 8)
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[:count]
        return np.flatnonzero(bits).astype(np.int64)

    def _derived(self, record: Record, depth: int) -> Mask:
        """The mask of an array or struct, put together from its parts' (buildGCMask)."""
        words, kind = record["Size_"] // _WORD, record["Kind_"] & _KIND_MASK
        at = record.address + self._struct.size
        if depth > _DEPTH_LIMIT or not record["PtrBytes"]:
            return Mask(words, _NONE.pointers)
        if kind == _ARRAY:
            part = self._part(u64(self._memory, at), depth)
            count = min(u64(self._memory, at + 2 * _WORD), words // max(part.words, 1))
            starts = np.arange(count, dtype=np.int64)[:, None] * part.words
            return Mask(words, (starts + part.pointers[None, :]).ravel())
        if kind != _STRUCT:
            raise UnreadableError(record.address, self._struct.size, "a type without a mask")
        pieces = [_NONE.pointers]
        fields, count = u64(self._memory, at + _WORD), u64(self._memory, at + 2 * _WORD)
        raw = self._memory.read(fields, 3 * _WORD * min(count, _FIELDS_LIMIT))
        for _, kind_at, offset in np.frombuffer(raw, np.uint64).reshape(-1, 3).tolist():
            pointers = self._part(kind_at, depth).pointers
            pieces.append(pointers + min(offset // _WORD, words))
        merged = distinct(np.concatenate(pieces))
        return Mask(words, merged[merged < words])

    def _part(self, rtype: int, depth: int) -> Mask:
        if rtype in self._masks:
            return self._masks[rtype]
        record = read_record(self._memory, self._struct, rtype)
        if not record["PtrBytes"]:
            return Mask(-(-record["Size_"] // _WORD), _NONE.pointers)
        if self._built(record):
            mask = self.of(rtype)
        else:
            mask = self._masks[rtype] = self._derived(record, depth + 1)
        return mask
