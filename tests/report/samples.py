"""Trace reports as analyses make them, put together by hand: what the report tests render."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location, Region
from goprobe.model.report import Tool
from goprobe.model.trace import Binary, Bounds, Exit, Frame, StopReport, TraceReport
from goprobe.model.value import Data, Element, State, Value, Variable

LITERAL = 0x49F3C2
MSG = 0xC00009CF20
ARRAY = 0xC00009CF10
STACK = Bounds(Address(0xC00009C000), Address(0xC00009E000))


def location(kind: Kind, address: int, name: str, *evidence: str, **detail: object) -> Location:
    facts: Detail = {key: value for key, value in detail.items() if isinstance(value, (int, str))}
    return Location(kind, Address(address), name, facts, evidence)


def on_stack(address: int = MSG) -> Location:
    below = STACK.high - address
    return location(
        Kind.GOROUTINE_STACK,
        address,
        f"main's stack (goroutine 1), {below:#x} below its top",
        f"g 1 stack [{STACK.low}, {STACK.high})",
        "mspan 0x7ffff7d9a1c0 state=mSpanManual",
        goroutine=1,
        low=STACK.low,
        high=STACK.high,
        from_high=below,
        live=True,
    )


def in_rodata(address: int = LITERAL) -> Location:
    return location(
        Kind.RODATA,
        address,
        ".rodata of hello, read-only",
        "section .rodata of hello",
        "/proc map r--p 00495000-004d9000",
        section=".rodata",
    )


def region(low: int, size: int, perms: str, kind: Kind, label: str) -> Region:
    return Region(
        low=Address(low), high=Address(low + size), perms=perms, kind=kind, label=label, size=size
    )


def memory() -> tuple[Region, ...]:
    """The map of hello, as Go 1.24 and before lay it out."""
    span = 0x2000
    arena = [
        region(0xC000000000 + i * span, span, "rw-p", Kind.HEAP, "heap spans in use")
        for i in range(30)
    ]
    stacks = [
        region(
            0xC000040000 + i * span,
            span,
            "rw-p",
            Kind.GOROUTINE_STACK,
            f"stack of goroutine {i + 2}",
        )
        for i in range(4)
    ]
    mine = region(STACK.low, 0x2000, "rw-p", Kind.GOROUTINE_STACK, "stack of goroutine 1")
    return (
        region(0x400000, 0x94000, "r-xp", Kind.TEXT, ".text of hello"),
        region(0x495000, 0x44000, "r--p", Kind.RODATA, ".rodata of hello"),
        region(0x4D9000, 0x9000, "rw-p", Kind.DATA, ".data of hello"),
        region(0x4E2000, 0x3000, "rw-p", Kind.DATA, ".noptrdata of hello"),
        region(0x4E5000, 0x38000, "rw-p", Kind.BSS, ".bss of hello"),
        region(0x51D000, 0x4000, "rw-p", Kind.BSS, ".noptrbss of hello"),
        *arena,
        *stacks,
        region(0xC000048000, 0x54000, "rw-p", Kind.RUNTIME, "free heap pages"),
        mine,
        region(0xC00009E000, 0x362000, "rw-p", Kind.RUNTIME, "free heap pages"),
        region(0xC000400000, 0x3C00000, "---p", Kind.RESERVED, "arena not yet used"),
        region(0x7FFFAD0D0000, 0x2271000, "rw-p", Kind.RUNTIME, "heap metadata"),
        region(0x7FFFAF341000, 0x10000000, "---p", Kind.RESERVED, "arena index"),
        region(0x7FFFBF4C1000, 0x80000, "rw-p", Kind.RUNTIME, "span metadata"),
        region(0x7FFFF7D9A000, 0x40000, "rw-p", Kind.RUNTIME, "span metadata"),
        region(0x7FFFF7FBF000, 0x4000, "r--p", Kind.VDSO, "[vvar]"),
        region(0x7FFFF7FC3000, 0x2000, "r-xp", Kind.VDSO, "[vdso]"),
        region(0x7FFFFFFDE000, 0x21000, "rw-p", Kind.SYSTEM_STACK, "[stack] of the first thread"),
    )


def frame(function: str, file: str, line: int, pc: int, sp: int, *, inlined: bool = False) -> Frame:
    return Frame(function, file, line, inlined, Address(pc), Address(sp), Address(sp + 0x58))


def string_data(text: str, place: Location | None = None, size: int = -1) -> Data:
    where = place or in_rodata()
    return Data(
        address=where.address, location=where, text=text, size=len(text) if size < 0 else size
    )


def live(
    name: str,
    kind: str,
    value: Value,
    *,
    where: Location | None = None,
    data: Data | UnsetType = UNSET,
    elements: tuple[Element, ...] | UnsetType = UNSET,
    function: str = "main.main",
    at_frame: int = 0,
    size: int = 16,
    moved: bool = False,
) -> Variable:
    place = where or on_stack()
    return Variable(
        name=name,
        type=kind,
        frame=at_frame,
        function=function,
        state=State.LIVE,
        why="",
        size=size,
        line=6,
        moved=moved,
        address=place.address,
        location=place,
        value=value,
        data=data,
        elements=elements,
    )


def absent(name: str, kind: str, state: State, why: str, *, at_frame: int = 0) -> Variable:
    return Variable(
        name=name, type=kind, frame=at_frame, function="main.main", state=state, why=why, size=16
    )


def msg(text: str = "Hello, Go!", at_frame: int = 0) -> Variable:
    value = Value(text, len=len(text.encode("utf-8", "replace")))
    data = string_data(text, size=value.len if value.len is not UNSET else 0)
    return live("msg", "string", value, data=data, at_frame=at_frame)


def println_argument(text: str = "Hello, Go!") -> Variable:
    """`a` of fmt.Println: a slice header whose array holds one interface, which holds msg."""
    header = location(Kind.RODATA, 0x4B7A10, ".rodata of hello, read-only", section=".rodata")
    inner = Data(
        address=header.address,
        location=header,
        text=text,
        size=16,
        type="string",
        dynamic_type="string",
        data=string_data(text),
    )
    element = Element(
        name="[0]",
        type="interface {}",
        address=Address(ARRAY),
        value=Value(text, dynamic_type="string"),
        data=inner,
    )
    array = on_stack(ARRAY)
    data = Data(
        address=array.address,
        location=array,
        text=f'["{text}"]',
        size=16,
        type="[1]interface {}",
        elements=(element,),
    )
    return live(
        "a",
        "[]interface {}",
        Value(f'["{text}"]', len=1, cap=1),
        where=on_stack(0xC00009CED8),
        data=data,
        function="fmt.Println",
        size=24,
    )


def first_stop() -> StopReport:
    why = "declared at line 6, which has not run yet"
    return StopReport(
        reason="breakpoint",
        function="main.main",
        file="/home/gopher/hello.go",
        line=5,
        goroutine=1,
        thread=4242,
        pc=Address(0x48C9C0),
        sp=Address(0xC00009CF00),
        stack=STACK,
        frames=(
            frame("main.main", "/home/gopher/hello.go", 5, 0x48C9C0, 0xC00009CF00),
            frame("runtime.main", "/usr/local/go/src/runtime/proc.go", 283, 0x437A00, 0xC00009CF50),
            frame(
                "runtime.goexit",
                "/usr/local/go/src/runtime/asm_amd64.s",
                1700,
                0x468E41,
                0xC00009CFE0,
            ),
        ),
        variables=(absent("msg", "string", State.NOT_YET, why),),
    )


def second_stop(variables: Iterable[Variable] = ()) -> StopReport:
    return StopReport(
        reason="breakpoint",
        function="fmt.Println",
        file="/usr/local/go/src/fmt/print.go",
        line=313,
        goroutine=1,
        thread=4242,
        pc=Address(0x48C4E0),
        sp=Address(0xC00009CE90),
        stack=STACK,
        frames=(
            frame("fmt.Println", "/usr/local/go/src/fmt/print.go", 313, 0x48C4E0, 0xC00009CE90),
            frame("main.main", "/home/gopher/hello.go", 7, 0x48CA3F, 0xC00009CF00),
            frame("runtime.main", "/usr/local/go/src/runtime/proc.go", 283, 0x437A00, 0xC00009CF50),
            frame(
                "runtime.goexit",
                "/usr/local/go/src/runtime/asm_amd64.s",
                1700,
                0x468E41,
                0xC00009CFE0,
            ),
        ),
        variables=tuple(variables) or (println_argument(), msg(at_frame=1)),
    )


def hello(
    variables: Iterable[Variable] = (), *, optimized: bool = False, path: str = "/home/gopher/hello"
) -> TraceReport:
    """What `goprobe trace hello.go` reports; `variables` are those of its second stop."""
    return TraceReport(
        go=Tool("go1.24.11"),
        gdb=Tool("13.1"),
        binary=Binary(path, "a1b2c3", "" if optimized else "-gcflags=all=-N -l", False, optimized),
        pid=4242,
        exit=Exit(code=0),
        map=memory(),
        stops=(first_stop(), second_stop(variables)),
    )
