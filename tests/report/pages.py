"""Reports of each kind that has a page, put together by hand: plain, hostile, large."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.model.address import Address
from goprobe.model.attached import (
    CallSite,
    Creation,
    Deadlock,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    MapsReport,
    Owner,
    StackUse,
    WaitsOn,
    Whereabouts,
    WhereReport,
)
from goprobe.model.compare import Change, CompareReport, Fate, Inlining
from goprobe.model.doctor import Check, DoctorReport, Health
from goprobe.model.escape import EscapeReport, Prediction, Verdict
from goprobe.model.explain import Claim, ClaimVerdict, ExplainReport
from goprobe.model.heap import (
    Example,
    GraphSummary,
    HeapCensus,
    HeapReport,
    HeapSample,
    ObjectView,
    Referrer,
    RootCount,
    SelfCheck,
    SizeClass,
    SpanStates,
    TreeNode,
    TypeCount,
    Waste,
)
from goprobe.model.location import Kind, Location, Region
from goprobe.model.memory import KernelMemory, MemoryPart, MemoryReport, Surprise
from goprobe.model.report import Tool
from goprobe.model.trace import Bounds, StopReport, TraceReport
from goprobe.model.value import Element, Value
from tests.report.escapes import escapes, promise, site
from tests.report.samples import (
    STACK,
    hello,
    in_rodata,
    live,
    memory,
    msg,
    on_stack,
    second_stop,
    string_data,
)

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u2028'\"&amp;"
SHOWN = "<script>window.pwned=1</script>"

GO = Tool("1.27.3")


def trace(text: str = "Hello, Go!") -> TraceReport:
    return hello(
        [msg(text), live(f"v{text}", "string", Value(text, len=3), data=string_data(text))]
    )


def maps(text: str = "heap spans in use") -> MapsReport:
    regions = tuple(msgspec.structs.replace(r, label=text, rss=4096) for r in memory())
    return MapsReport(pid=7, go=GO, pause_us=900, map=regions, rss=4096 * len(regions), smaps_rss=0)


def where(text: str = "heap object") -> WhereReport:
    found = tuple(
        Whereabouts(place.kind, place.address, text, {}, (text, "span class 5"), (place,))
        for place in (on_stack(), in_rodata())
    )
    return WhereReport(pid=7, go=GO, pause_us=900, locations=found)


def goroutines(text: str = "main.work", count: int = 12) -> GoroutinesReport:
    frames = (
        CallSite(text, f"/src/{text}.go", 9, Address(0x401000)),
        CallSite("main.main", "/src/main.go", 3, Address(0x402000), inlined=True),
    )
    each = tuple(
        GoroutineState(
            id=i,
            status="waiting",
            wait_reason=text,
            function=text,
            created_by=text,
            stack=StackUse(STACK.low, STACK.high, 400),
            thread=0,
            system=False,
            waiting_us=7_000_000,
        )
        for i in range(1, count + 1)
    )
    owner = Owner(goroutine=1, operation="lock", evidence=text, certain=False, function=text)
    waits = WaitsOn(kind="mutex", address=Address(0x5A3520), name=text, owners=(owner,))
    ids = tuple(g.id for g in each)
    group = GoroutineGroup(
        count,
        "waiting",
        text,
        ids,
        frames,
        created=(Creation(count, text, f"/src/{text}.go", 4),),
        least_waiting_us=7_000_000,
        most_waiting_us=240_000_000,
        waits_on=(waits,),
    )
    return GoroutinesReport(
        pid=7,
        go=GO,
        pause_us=900,
        goroutines=each,
        groups=(group,),
        dead=2,
        deadlocks=(Deadlock((1,), (text,)),),
    )


def doctor(text: str = "Go 1.27.3 was found") -> DoctorReport:
    checks = tuple(
        Check(health.value, health, text, "" if health is Health.OK else f"type {text}")
        for health in Health
    )
    return DoctorReport(pid=0, go=GO, works=False, checks=checks)


def explain(text: str = "it lies in .rodata") -> ExplainReport:
    verdicts = list(ClaimVerdict)
    claims = tuple(
        Claim(str(i + 1), f"claim {i + 1}", verdicts[i % 3], text, (text, "r--p"))
        for i in range(14)
    )
    return ExplainReport(
        target="hello.go", go=GO, gdb=Tool("13.1"), pid=7, claims=claims, map=memory()
    )


def distinct_goroutines(count: int) -> GoroutinesReport:
    """So many goroutines, each with a stack of its own."""
    report = goroutines(count=count)
    (group,) = report.groups
    groups = tuple(
        msgspec.structs.replace(
            group,
            count=1,
            ids=(g.id,),
            frames=tuple(
                msgspec.structs.replace(f, function=f"main.work{g.id}") for f in group.frames
            ),
            waits_on=(),
        )
        for g in report.goroutines
    )
    return msgspec.structs.replace(report, groups=groups)


def many_regions(count: int) -> MapsReport:
    """A heap and stacks of so many regions."""
    heap, stack = (
        next(r for r in memory() if r.kind is kind) for kind in (Kind.HEAP, Kind.GOROUTINE_STACK)
    )
    regions = tuple(
        msgspec.structs.replace(
            (heap, stack)[i % 2],
            low=Address(0xC000000000 + i * 0x2000),
            high=Address(0xC000000000 + (i + 1) * 0x2000),
            size=0x2000,
            label=f"stack of goroutine {i}" if i % 2 else "heap spans in use",
            rss=4096,
        )
        for i in range(count)
    )
    return MapsReport(
        pid=7, go=GO, pause_us=900, map=regions, rss=4096 * count, smaps_rss=4096 * count
    )


def many_types(count: int) -> HeapReport:
    report = heap()
    types = tuple(
        msgspec.structs.replace(report.types[0], type=f"main.Node{i}", bytes=count - i)
        for i in range(count)
    )
    roots = tuple(RootCount("global", f"main.v{i}", count - i, 1) for i in range(count))
    return msgspec.structs.replace(report, types=types, unreachable=types, roots=roots)


def kept(what: str, *below: TreeNode) -> TreeNode:
    return TreeNode(
        what=what,
        kind="type",
        address=Address(0xC000010000),
        objects=4,
        bytes=9000,
        retained_bytes=9000 * (len(below) + 1),
        retained_objects=4,
        children=below,
    )


def heap(text: str = "main.Node") -> HeapReport:
    states = SpanStates(in_use=3, manual=1, dead=0, unswept=0)
    classes = (
        SizeClass(48, False, 900, 43200, 6, 1020, 5760),
        SizeClass(0, True, 1, 65536, 1, 1, 0),
    )
    types = (
        TypeCount(text, 800, 38400, 90000, example=Address(0xC000010000)),
        TypeCount("[]uint8", 1, 65536, 65536),
        TypeCount("map[string]*net/http.Header", 100, 4800, 4800),
    )
    return HeapReport(
        pid=7,
        go=GO,
        pause_us=1500,
        snapshot="stop",
        schema="goprobe.heap/1",
        self_check=SelfCheck(7, 0, 0, 1700, 0, ()),
        types=types,
        census=HeapCensus(
            objects=901,
            bytes=108736,
            free_bytes=5760,
            classes=classes,
            span_bytes=114496,
            manual_bytes=32768,
            fragmentation=0.05,
            tiny_slots=0,
            spans=states,
        ),
        graph=GraphSummary(900, 1, 1700, 108688, 48, 12),
        roots=(RootCount("global", "main.cache", 90000, 700),),
        tree=(kept("main.cache", kept(text, kept("[]uint8 backing"))), kept("2 smaller ones")),
        waste=(
            Waste(
                kind="array out of reach",
                type=text,
                field="main.page.body",
                holder="main.cache",
                objects=3,
                bytes=9000,
                example=Address(0xC000010000),
                advice=f"copy {text}",
            ),
        ),
        samples=(HeapSample((text, "[]*main.Node", "main.cache"), 800, 38400),),
        examples=(example(text),),
    )


def example(text: str = "main.Node") -> Example:
    """The object that the tree and the waste name."""
    root = Location(Kind.DATA, Address(0x5A3520), "main.cache", {}, ())
    place = Location(Kind.HEAP, Address(0xC000010000), text, {"via": ".head"}, ())
    part = Element(name="next", type=f"*{text}", value=Value("0xc000010040"))
    return Example(
        address=Address(0xC000010000),
        size=48,
        object=ObjectView(
            place, text, True, 90000, value=Value(f"{{next:{text}}}"), elements=(part,)
        ),
        path=(root, place),
        path_text="main.cache.head",
        pointers=9,
        referrers=(Referrer(root, ".head", 0),),
    )


def escape(text: str = "&point{...}") -> EscapeReport:
    sites = [site(v, line=i + 3, expression=text) for i, v in enumerate(Verdict)]
    return escapes(*sites, assertions=(promise(), promise(False, why=text)))


def compare(text: str = "Hello, Go!") -> CompareReport:
    change = Change(
        function="main.main",
        name=text,
        type="string",
        fate=Fate.MOVED,
        told=f"{text} moves",
        unoptimized=msg(text),
    )
    return CompareReport(
        pid=7,
        go=GO,
        unoptimized=trace(text),
        optimized=hello(optimized=True),
        changes=(change,),
        inlined=(Inlining("fmt.Println", "main.main"),),
        unoptimized_code=900,
        optimized_code=700,
    )


def of_memory(text: str = "nothing is out of proportion") -> MemoryReport:
    return MemoryReport(
        pid=7,
        go=GO,
        pause_us=900,
        parts=(MemoryPart(text, 9000, "Go heap"), MemoryPart("machine code", 4096, text)),
        kernel=KernelMemory(rss=13096, smaps_rss=13096, why_no_cgroup=text),
        memstats={"HeapAlloc": 9000, text: 1},
        metrics={"/gc/heap/goal:bytes": 9000},
        not_told={"/sched/latencies:seconds": text},
        surprises=(Surprise("stacks", 900, text, text), Surprise("heap", 90, text, text)),
        verdict=text,
    )


PAGES: dict[str, Callable[..., object]] = {
    "where": where, "goroutines": goroutines, "doctor": doctor,
    "trace": trace, "compare": compare, "explain": explain, "maps": maps, "heap": heap,
    "escape": escape, "memory": of_memory,
}  # fmt: skip


def moving(stops: int) -> TraceReport:
    """A trace whose stack has moved at each stop, msg with it."""
    report = hello()
    made = [_moved(second_stop(), i * 0x4000) for i in range(stops)]
    return msgspec.structs.replace(report, stops=tuple(made))


def _moved(stop: StopReport, by: int) -> StopReport:
    assert isinstance(stop.stack, Bounds)
    variable = msg()
    place = on_stack(int(variable.address or 0))
    place = msgspec.structs.replace(place, address=Address(place.address + by))
    variable = msgspec.structs.replace(variable, address=place.address, location=place)
    stack = Bounds(Address(stop.stack.low + by), Address(stop.stack.high + by))
    return msgspec.structs.replace(
        stop, stack=stack, variables=(variable,), map=_with_stack(memory(), stack)
    )


def _with_stack(regions: tuple[Region, ...], stack: Bounds) -> tuple[Region, ...]:
    """The regions with goroutine 1's stack there; what it had before is free."""
    mine = Region(
        low=stack.low,
        high=stack.high,
        perms="rw-p",
        kind=Kind.GOROUTINE_STACK,
        label="stack of goroutine 1",
        size=stack.high - stack.low,
    )
    found = [mine]
    for region in regions:
        if region.label == mine.label:
            continue
        for low, high in (
            (region.low, min(region.high, mine.low)),
            (max(region.low, mine.high), region.high),
        ):
            if low < high:
                found.append(msgspec.structs.replace(region, low=low, high=high, size=high - low))
    return tuple(sorted(found, key=lambda region: region.low))


def many_sites(count: int) -> EscapeReport:
    verdicts = list(Verdict)
    return escapes(
        *(
            site(
                verdicts[i % len(verdicts)],
                line=i % 500 + 1,
                file=f"p{i // 500}/f.go",
                prediction=list(Prediction)[i % 3],
            )
            for i in range(count)
        )
    )
