"""The layout of Go's line table (pclntab) and what its records say.

Source: src/runtime/symtab.go (pcHeader), runtime2.go (_func), symtabinl.go (inlinedCall),
internal/abi/symtab.go of Go 1.21 to 1.27, which agree.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import msgspec

from goprobe.errors import NotGoError

if TYPE_CHECKING:
    from goprobe.binary.pcln.table import LineTable

MAGIC = 0xFFFFFFF1
MAGIC_1_18 = 0xFFFFFFF0
HEADER_SIZE = 72

PCDATA_STACK_MAP_INDEX = 1
PCDATA_INL_TREE_INDEX = 2
FUNCDATA_ARGS_POINTER_MAPS = 0
FUNCDATA_LOCALS_POINTER_MAPS = 1
FUNCDATA_STACK_OBJECTS = 2
FUNCDATA_INL_TREE = 3

FLAG_TOP_FRAME = 1
FLAG_SP_WRITE = 2

_INNERMOST = re.compile(r"\[[^\[\]]*\]")

_HEADER = struct.Struct("<IBBBB8Q")
FUNC = struct.Struct("<IiiIIIIIIiBBxB")
INLINED = struct.Struct("<B3xiii")


class PcHeader(msgspec.Struct, frozen=True):
    """runtime.pcHeader: offsets in bytes from the table's start. `text` is 0 since Go 1.26."""

    functions: int
    files: int
    text: int
    names: int
    units: int
    file_names: int
    pctab: int
    functab: int

    @property
    def functab_end(self) -> int:
        """Where the pairs (entry, function) end: after the last entry's end address."""
        return self.functab + 8 * self.functions + 4


def parse_header(data: bytes | memoryview) -> PcHeader:
    """Raises NotGoError where `data` begins no line table that goprobe reads."""
    if len(data) < HEADER_SIZE:
        raise NotGoError("its Go line table is cut short")
    magic, pad1, pad2, quantum, pointer, *words = _HEADER.unpack_from(data)
    if magic == MAGIC_1_18:
        raise NotGoError("it was built by a Go older than 1.20; goprobe reads 1.21 on")
    if (magic, pad1, pad2, quantum, pointer) != (MAGIC, 0, 0, 1, 8):
        raise NotGoError(f"its Go line table is of an unknown kind (magic {magic:#x})")
    header = PcHeader(*words)
    order = [
        HEADER_SIZE,
        header.names,
        header.units,
        header.file_names,
        header.pctab,
        header.functab,
        header.functab_end,
        len(data),
    ]
    if order != sorted(order) or not header.functions:
        raise NotGoError("its Go line table is corrupt: its parts lie outside of it")
    return header


class Function(msgspec.Struct, frozen=True):
    """A function of the machine code; its body is [entry, end), padding included.

    `args_size` in bytes (ARGS_SIZE_UNKNOWN for some assembly), `deferreturn` an offset from entry
    (0: none), `start_line` the line of its `func`. `name` is the symbol's, with generic shapes
    (`main.Map[go.shape.int]`). `offset` is its record's place in the functab.
    """

    table: LineTable
    offset: int
    entry: int
    end: int
    name_offset: int
    args_size: int
    deferreturn: int
    pcsp: int
    pcfile: int
    pcln: int
    npcdata: int
    unit: int
    start_line: int
    func_id: int
    flag: int
    nfuncdata: int

    @property
    def name(self) -> str:
        return self.table.name_at(self.name_offset)

    @property
    def file(self) -> str:
        """The file that it was declared in, "" where the table does not say."""
        return self.table.position(self, self.entry)[0]

    @property
    def top_frame(self) -> bool:
        return bool(self.flag & FLAG_TOP_FRAME)

    @property
    def writes_sp(self) -> bool:
        return bool(self.flag & FLAG_SP_WRITE)


class SourceFrame(msgspec.Struct, frozen=True):
    """A function of the source at one pc. `inlined`: it has no frame of its own.

    `line` is where it stands: the call's line for all but the innermost. `wrapper`: the compiler
    made it (a method's pointer form, the call of a `go` statement); Go's own traces leave it out.
    `pc` is the instruction's, or that of the mark which the compiler left where a call was inlined.
    """

    function: str
    file: str
    line: int
    inlined: bool
    start_line: int
    wrapper: bool = False
    pc: int = 0


class InlinedCall(msgspec.Struct, frozen=True):
    """runtime.inlinedCall: `parent_pc` is an offset from the function's entry."""

    func_id: int
    name_offset: int
    parent_pc: int
    start_line: int


def shown_name(name: str, *, methods: bool = True) -> str:
    """A function's name as the runtime prints it: generic shapes as "[...]".

    `methods`: since Go 1.27, which has methods with types of their own, two such parts of a name
    are told apart; before, all from the first bracket to the last was one. Source:
    src/runtime/traceback.go (symtab.go since 1.27), funcNamePiecesForPrint.
    """
    start, end = name.find("["), name.rfind("]")
    if not 0 <= start < end:
        return name
    between = _between(name, start, end) if methods else ""
    return f"{name[:start]}[...]{between}{name[end + 1 :]}"


def _between(name: str, start: int, end: int) -> str:
    """What stands between the first bracket's end and the next bracket, "" where there is none."""
    depth = 0
    for at in range(start, end):
        depth += (name[at] == "[") - (name[at] == "]")
        if not depth:
            following = name.find("[", at)
            return f"{name[at + 1 : following]}[...]" if 0 <= following < end else ""
    return ""


def without_type_arguments(name: str) -> str:
    """However they nest: they may be functions of generic types, and arrays."""
    while (shorter := _INNERMOST.sub("", name)) != name:
        name = shorter
    return name


def plain_name(name: str) -> str:
    """A function's name as a person types it: without type arguments and import path escapes."""
    return without_type_arguments(name).replace("%2e", ".")
