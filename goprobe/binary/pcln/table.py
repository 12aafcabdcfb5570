"""Go's own line table (pclntab): functions, files, lines, inlining, frame sizes, stack maps.

It is in every Go binary, stripped ones too, because the runtime itself needs it. Opening costs
nothing: all is decoded when asked for. Addresses are those of the `text` that the table was opened
with: link-time ones for a file, live ones after `rebased`.

Source: src/runtime/symtab.go, runtime2.go (_func), symtabinl.go, stkframe.go and
cmd/link/internal/ld/pcln.go of Go 1.21 to 1.27. Throughout these the magic is 0xfffffff1 and the
layouts are the same, but two things move: the header's textStart is 0 since 1.26, and funcdata
lies in .rodata before 1.26, inside the table since. Both are asked of moduledata (`pclnfind`).
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property

from goprobe.binary.pcln.format import (
    FUNC,
    FUNCDATA_INL_TREE,
    INLINED,
    PCDATA_INL_TREE_INDEX,
    Function,
    InlinedCall,
    SourceFrame,
    parse_header,
)
from goprobe.binary.pcln.pcvalue import NO_RUNS, Runs, decode_runs
from goprobe.budget import BASE, STEP, Budget
from goprobe.errors import NotGoError, UnreadableError

_INLINE_TREE_LIMIT = 1 << 20
INLINE_DEPTH_LIMIT = 512
_NAME_LIMIT = 1 << 16
_PASSES = 16  # how often any byte of a table may be looked at
_NONE = 0xFFFFFFFF
_NAMES_KEPT = 1 << 14
_STEPS_KEPT = 1 << 21

Reader = Callable[[int, int], bytes]
"""read(address, size) gives all the bytes, or raises UnreadableError."""


def _unreadable(address: int, size: int) -> bytes:
    raise UnreadableError(address, size, "it is not known where Go's funcdata lies")


class LineTable:
    """A line table over its bytes.

    `text` is the address of runtime.text, `address` the table's own (for error texts), `gofunc`
    that of funcdata (0: unknown, which leaves inlined frames and stack maps out), `read` reads
    funcdata. Raises NotGoError for a header that is none; everything else that is corrupt raises
    UnreadableError where it is asked for.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        text: int,
        *,
        gofunc: int = 0,
        rodata: int = 0,
        address: int = 0,
        read: Reader = _unreadable,
        budget: Budget | None = None,
    ) -> None:
        view = memoryview(data).cast("B")
        self.header = header = parse_header(view)
        self.data = view
        self.text = text
        self.gofunc = gofunc
        self.rodata = rodata
        self.address = address
        self._read = read
        self._budget = budget or Budget(BASE + _PASSES * len(view), self._endless)
        self._names = view[header.names : header.units]
        self._files = view[header.file_names : header.pctab]
        self._pctab = view[header.pctab : header.functab]
        units = view[header.units : header.file_names]
        self._units = units[: len(units) & ~3].cast("I")
        self._funcs = view[header.functab :]
        pairs = view[header.functab : header.functab_end].cast("I")
        self._entries, self._offsets = pairs[::2], pairs[1::2]
        self._runs: dict[int, Runs] = {}
        self._steps = 0
        self._texts: dict[int, str] = {}

    def rebased(self, bias: int, read: Reader | None = None) -> LineTable:
        """The same table at addresses `bias` higher, as a loaded PIE or plugin has them.

        `read` reads live addresses; without it funcdata still comes from the file.
        """

        def from_file(address: int, size: int) -> bytes:
            return self._read(address - bias, size)

        gofunc, rodata = (at and at + bias for at in (self.gofunc, self.rodata))
        return self._placed(bias, gofunc, rodata, read or from_file)

    def with_funcdata(self, gofunc: int, rodata: int, read: Reader) -> LineTable:
        """The same table, knowing where funcdata (moduledata.gofunc, .rodata) lies."""
        return self._placed(0, gofunc, rodata, read)

    def _placed(self, bias: int, gofunc: int, rodata: int, read: Reader) -> LineTable:
        return LineTable(
            self.data,
            self.text + bias,
            gofunc=gofunc,
            rodata=rodata,
            address=self.address + bias,
            read=read,
            budget=self._budget,
        )

    def _endless(self) -> NotGoError:
        return NotGoError("Go's line table is corrupt: reading it would not end")

    # -- functions ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.header.functions

    @property
    def low(self) -> int:
        """The first function's entry (moduledata.minpc)."""
        return self.text + self._entries[0]

    @property
    def high(self) -> int:
        """The last function's end (moduledata.maxpc)."""
        return self.text + self._entries[-1]

    def function_name_at(self, pc: int) -> str:
        """The name of the function that a link-time address lies in, "" for none, and where the
        table is corrupt."""
        with suppress(UnreadableError):
            function = self.function_at(pc)
            return function.name if function else ""
        return ""

    def function_at(self, pc: int) -> Function | None:
        """The function whose code holds `pc`; None outside of Go's text."""
        # The runtime has findfunctab for this; a search needs no other table to be right.
        at = bisect_right(self._entries, pc - self.text) - 1
        if not 0 <= at < self.header.functions or pc >= self.high:
            return None
        return self.function(at)

    def function(self, index: int) -> Function:
        """The index-th function in address order."""
        offset = self._offsets[index]
        fields = self._unpack(FUNC, offset)
        # ftab has one entry more than functions: where the last one ends.
        entry, end = fields[0], self._entries[index + 1]
        if entry != self._entries[index] or entry > end:
            raise self._corrupt(offset, "a function's entry differs from the index")
        return Function(self, offset, self.text + entry, self.text + end, *fields[1:])

    def functions(self) -> Iterator[Function]:
        """All functions in address order; names are decoded when asked for."""
        return (self.function(index) for index in range(self.header.functions))

    @cached_property
    def name_offsets(self) -> array[int]:
        """The name of every function, in address order; -1 for those that lie outside."""
        unpack, funcs, last = struct.Struct("<i").unpack_from, self._funcs, len(self._funcs) - 8
        if max(self._offsets) <= last:
            return array("i", [unpack(funcs, offset + 4)[0] for offset in self._offsets])
        offsets = (unpack(funcs, at + 4)[0] if at <= last else -1 for at in self._offsets)
        return array("i", offsets)

    @cached_property
    def _name_bytes(self) -> bytes:
        return bytes(self._names)

    def name_offset(self, name: str) -> int:
        """Where a function's name stands in the table of names, -1 where it does not."""
        wanted = name.encode("utf-8", "replace") + b"\0"
        if self._name_bytes.startswith(wanted):
            return 0
        return self._name_bytes.find(b"\0" + wanted) + 1 or -1

    def functions_named(self, name: str) -> list[Function]:
        """The functions of exactly this symbol name (a plugin or ABI wrapper may share one)."""
        offset, known, at = self.name_offset(name), self.name_offsets, -1
        functions: list[Function] = []
        for _ in range(known.count(offset) if offset >= 0 else 0):
            at = known.index(offset, at + 1)
            functions.append(self.function(at))
        return functions

    def function_named(self, name: str) -> Function | None:
        return next(iter(self.functions_named(name)), None)

    def names(self) -> Iterator[str]:
        """The names of all functions with code of their own."""
        known = dict.fromkeys(self.name_offsets)
        return (self.name_at(offset) for offset in known if offset >= 0)

    def every_name(self) -> Iterator[str]:
        """The names of all functions, those that are inlined wherever they are called, too."""
        self._budget.spend(len(self._names))
        return (name.decode("utf-8", "replace") for name in self._name_bytes.split(b"\0") if name)

    def name_at(self, offset: int) -> str:
        """The name at an offset of the table of names; "" for the runtime's nameless functions."""
        text = self._texts.get(offset)
        if text is None:
            if len(self._texts) >= _NAMES_KEPT:
                self._texts.clear()
            text = self._texts[offset] = self._string(self._names, offset, self.header.names)
            self._budget.spend(len(text))
        return text

    def begins_name(self, offset: int) -> bool:
        """Whether a name of the table of names begins at `offset`."""
        return 0 <= offset < len(self._names) and (not offset or not self._names[offset - 1])

    # -- source positions --------------------------------------------------------------------

    def runs(self, offset: int) -> Runs:
        """The pc-value table at an offset of pctab; 0 means that there is none."""
        if not offset:
            return NO_RUNS
        runs = self._runs.get(offset)
        return self._decode(offset) if runs is None else runs

    def _decode(self, offset: int) -> Runs:
        try:
            runs = decode_runs(self._pctab, offset, self._budget)
        except ValueError as error:
            at = self.address + self.header.pctab + offset
            raise UnreadableError(at, 1, f"Go's line table is corrupt: {error}") from None
        self._steps += len(runs.ends)
        if self._steps > _STEPS_KEPT:
            self._runs.clear()
            self._steps = len(runs.ends)
        self._runs[offset] = runs
        return runs

    def file_name(self, unit: int, number: int) -> str:
        """The file of a compilation unit by its number, "" where the table does not say."""
        at = unit + number
        if number < 0 or unit == _NONE or at >= len(self._units) or self._units[at] == _NONE:
            return ""
        return self._string(self._files, self._units[at], self.header.file_names)

    def unit_files(self) -> memoryview:
        """runtime.cutab: per unit and file number an offset into the table of file names."""
        return self._units

    def units_of_functions(self) -> Iterator[int]:
        """The compilation unit of every function, in address order; corrupt ones as 0xffffffff."""
        unpack, funcs, last = struct.Struct("<I").unpack_from, self._funcs, len(self._funcs) - 36
        for offset in self._offsets:
            yield unpack(funcs, offset + 32)[0] if offset <= last else _NONE

    def position(self, function: Function, pc: int) -> tuple[str, int]:
        """File and line of the source at `pc`, innermost inlined call included; ("", 0): none."""
        offset = pc - function.entry
        number = self.runs(function.pcfile).value(offset)
        line = self.runs(function.pcln).value(offset)
        if number < 0 or line < 0:
            return "", 0
        return self.file_name(function.unit, number), line

    def inlined_call(self, function: Function, index: int) -> InlinedCall:
        """An entry of the function's tree of inlined calls."""
        tree = self.funcdata(function, FUNCDATA_INL_TREE)
        if not tree or not 0 <= index < _INLINE_TREE_LIMIT:
            raise UnreadableError(function.entry, 1, "it has no such inlined call")
        raw = self.read_funcdata(tree + INLINED.size * index, INLINED.size)
        return InlinedCall(*INLINED.unpack(raw))

    def inlined_calls(self, function: Function, pc: int) -> Iterator[InlinedCall]:
        """The calls inlined one into another at `pc`, innermost first."""
        indices = self.runs(self._pcdata_offset(function, PCDATA_INL_TREE_INDEX))
        at = pc
        for _ in range(INLINE_DEPTH_LIMIT if self.gofunc else 0):
            index = indices.value(at - function.entry)
            if index < 0:
                return
            self._budget.spend(STEP)
            call = self.inlined_call(function, index)
            yield call
            # The compiler leaves a mark where the call was: there the caller's own position is
            # (runtime/symtabinl.go, inlinedCall.parentPc).
            at = function.entry + call.parent_pc

    def inline_stack(self, function: Function, pc: int) -> list[SourceFrame]:
        """The functions of the source that stand at `pc`, innermost first, `function` last.

        `pc` is that of an instruction: for a return address pass it less 1. Where the inlining
        cannot be read, the machine function alone, as the runtime does.
        """
        frames: list[SourceFrame] = []
        at = pc
        with suppress(UnreadableError):
            for call in self.inlined_calls(function, pc):
                name = self.name_at(call.name_offset)
                position = self.position(function, at)
                wrapper = call.func_id == self._wrapper_id
                frames.append(SourceFrame(name, *position, True, call.start_line, wrapper, at))
                at = function.entry + call.parent_pc
        position = self.position(function, at)
        wrapper = function.func_id == self._wrapper_id
        frames.append(
            SourceFrame(function.name, *position, False, function.start_line, wrapper, at)
        )
        return frames

    def is_wrapper(self, entry: int) -> bool:
        """Whether the compiler made the function at `entry` only to call another with other
        arguments: a method by a pointer, or generic code with its dictionary."""
        function = self.function_at(entry)
        return function is not None and self.wraps(function)

    def wraps(self, function: Function) -> bool:
        return function.func_id == self._wrapper_id

    @cached_property
    def _wrapper_id(self) -> int:
        """funcIDWrapper, whose number changes with releases: that of a function that is one.

        runtime.deferreturn is given it by its name, so that no trace shows it
        (cmd/internal/objabi/funcid.go), and is in every binary: runtime.main defers.
        """
        try:
            function = self.function_named("runtime.deferreturn")
        except UnreadableError:
            function = None
        return function.func_id if function else -1

    # -- pcdata and funcdata -----------------------------------------------------------------

    def frame_size(self, function: Function, pc: int) -> int:
        """How far SP lies below the return address at `pc`, in bytes; -1 where unknown.

        The caller's SP after the return is sp + frame_size + 8.
        """
        return self.runs(function.pcsp).value(pc - function.entry)

    def _pcdata_offset(self, function: Function, table: int) -> int:
        if not 0 <= table < function.npcdata:
            return 0
        return self._word(function.offset + FUNC.size + 4 * table)

    def pcdata_runs(self, function: Function, table: int) -> Runs:
        return self.runs(self._pcdata_offset(function, table))

    def pcdata(self, function: Function, table: int, pc: int) -> int:
        """The value of PCDATA `table` at `pc`, -1 where there is none."""
        return self.pcdata_runs(function, table).value(pc - function.entry)

    def funcdata(self, function: Function, index: int) -> int:
        """The address of FUNCDATA `index`, 0 where there is none or gofunc is unknown."""
        if not 0 <= index < function.nfuncdata or not self.gofunc:
            return 0
        offset = self._word(function.offset + FUNC.size + 4 * (function.npcdata + index))
        return 0 if offset == _NONE else self.gofunc + offset

    def read_funcdata(self, address: int, size: int) -> bytes:
        """Since Go 1.26 funcdata lies in the table itself."""
        start = address - self.address
        if self.address and start >= 0 and start + size <= len(self.data):
            return bytes(self.data[start : start + size])
        return self._read(address, size)

    # -- bytes -------------------------------------------------------------------------------

    def _word(self, offset: int) -> int:
        if offset + 4 > len(self._funcs):
            raise self._corrupt(offset, "a function's data lies outside of it")
        return int.from_bytes(self._funcs[offset : offset + 4], "little")

    def _unpack(self, form: struct.Struct, offset: int) -> tuple[int, ...]:
        if offset + form.size > len(self._funcs):
            raise self._corrupt(offset, "a function lies outside of it")
        return form.unpack_from(self._funcs, offset)

    def _string(self, table: memoryview, offset: int, base: int) -> str:
        if not 0 <= offset < len(table):
            at = self.address + base + offset
            raise UnreadableError(at, 1, "Go's line table is corrupt: a name lies outside of it")
        size = 128
        while True:
            raw = bytes(table[offset : offset + size])
            end = raw.find(b"\0")
            if end >= 0 or size >= _NAME_LIMIT or len(raw) < size:
                return raw[: end if end >= 0 else size].decode("utf-8", "replace")
            size *= 4

    def _corrupt(self, offset: int, why: str) -> UnreadableError:
        at = self.address + self.header.functab + offset
        return UnreadableError(at, 4, f"Go's line table is corrupt: {why}")
