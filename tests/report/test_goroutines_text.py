from __future__ import annotations

import re

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.address import Address
from goprobe.model.attached import (
    CallSite,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    StackUse,
)
from goprobe.model.report import Tool
from goprobe.report import RenderOptions, render
from tests.report.screen import cells, lines, raw_characters

STACK = StackUse(Address(0xC000100000), Address(0xC000102000), 688)
PARKED = (
    CallSite("runtime.gopark", "/go/src/runtime/proc.go", 474, Address(0x43A000)),
    CallSite("main.worker", "/home/gopher/main.go", 27, Address(0x48A000)),
    CallSite("runtime.goexit", "/go/src/runtime/asm_amd64.s", 1264, Address(0x46A000)),
)


def state(number: int, *, system: bool = False, frames: bool = False) -> GoroutineState:
    return GoroutineState(
        id=number,
        status="waiting",
        wait_reason="sleep",
        function="main.worker",
        created_by="main.main",
        stack=STACK,
        thread=0,
        system=system,
        waiting_us=3_000_000,
        frames=PARKED if frames else UNSET,
    )


def report(
    count: int = 3, *, groups: bool = True, function: str = "", stacks: bool = False
) -> GoroutinesReport:
    frames = PARKED if not function else (CallSite(function, function, 1, Address(1)),)
    own = tuple(range(1, count + 1))
    grouped = (
        GoroutineGroup(count, "waiting", "sleep", own, frames),
        GoroutineGroup(1, "waiting", "force gc (idle)", (90,), PARKED[:1]),
    )
    return GoroutinesReport(
        pid=7,
        go=Tool("1.27.3"),
        pause_us=1500,
        goroutines=(*(state(i, frames=stacks) for i in own), state(90, system=True)),
        groups=grouped if groups else (),
        dead=2,
    )


def text(found: GoroutinesReport, options: RenderOptions | None = None) -> str:
    return "\n".join(lines(render(found, "text", options or RenderOptions())))


def test_a_group_says_how_many_stand_where() -> None:
    shown = text(report(30))
    assert shown.startswith("31 goroutines: 31 waiting (1 of the runtime; 2 dead")
    assert "30 goroutines  waiting: sleep  1, 2, 3, 4, 5, 6, 7, 8, ..." in shown
    assert "main.worker" in shown
    assert "runtime.gopark" not in shown
    assert "and 1 of the runtime: force gc (idle)" in shown
    assert shown.endswith("Process 7 stood still for 1.5 ms.")


def test_what_a_library_began_is_told_by_where_it_began() -> None:
    """By how it waits nobody knew what it was."""
    names = (
        "runtime.gopark", "internal/poll.runtime_pollWait", "internal/poll.(*pollDesc).wait",
        "internal/poll.(*FD).Read", "net.(*netFD).Read", "net.(*conn).Read",
        "net/http.(*connReader).Read", "bufio.(*Reader).fill", "net/http.(*conn).serve",
        "runtime.goexit",
    )  # fmt: skip
    frames = tuple(CallSite(name, "/go/src/x.go", 1, Address(1)) for name in names)
    group = GoroutineGroup(300, "waiting", "IO wait", (1,), frames)
    shown = "\n".join(lines(render(replace(report(), groups=(group,)), "text", RenderOptions())))
    assert "http.(*conn).serve" in shown and "pollDesc" not in shown


def test_a_group_says_where_its_stacks_were_not_read_to_the_end() -> None:
    found = report()
    first = replace(found.groups[0], frames_end="the stack goes on")
    shown = text(replace(found, groups=(first, *found.groups[1:])))
    assert shown.count("the stack goes on") == 1


def test_each_by_itself_is_a_table() -> None:
    shown = text(report(3, groups=False)).splitlines()
    assert shown[2].split() == ["id", "state", "at", "stack", "thread"]
    assert [line.split()[0] for line in shown[3:7]] == ["1", "2", "3", "90"]


def test_whole_stacks_are_whole() -> None:
    grouped = text(report(3, stacks=True))
    each = text(report(3, groups=False, stacks=True))
    assert grouped.count("runtime.goexit") == 1
    assert each.count("runtime.goexit") == 3
    assert "goroutine 2  waiting: sleep  stack 688 bytes of 8 KiB, for 3 s" in each
    assert each.count("created by main.main") == 4


def test_stacks_that_could_not_be_walked_say_why_each() -> None:
    found = report(2, groups=False, stacks=True)
    first, second, system = found.goroutines
    ends = ("1 is not Go code", "2 is not Go code")
    lost = (replace(first, frames=(), frames_end=ends[0]), replace(second, frames=()))
    found = replace(found, goroutines=(lost[0], replace(lost[1], frames_end=ends[1]), system))
    assert [text(found).count(end) for end in ends] == [1, 1]


def test_what_is_repeated_is_the_same_with_colours() -> None:
    found = report(3, groups=False, stacks=True)
    plain = render(found, "text", RenderOptions())
    styled = render(found, "text", RenderOptions(colour=True))
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", styled) == plain
    assert styled.count(b"\x1b[") > 20


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("groups", [True, False])
def test_it_fits_and_shows_nothing_raw(width: int, groups: bool) -> None:
    hostile = "\x1b[2J\u202e" + "世界" * 40
    data = render(
        report(5, groups=groups, function=hostile), "text", RenderOptions(width=width, verbose=True)
    )
    assert raw_characters(data) == set()
    assert max(cells(line) for line in lines(data)) <= width


def test_functions_of_one_package_are_told_apart_in_eighty_columns() -> None:
    """What a cut would leave alike is not cut, and paths are as short as they stay clear."""
    package = "github.com/nats-io/nats-server/v2/server"
    names = [
        f"{package}.(*Server).start{what}Expiration.func1"
        for what in ("RateLimitLogAndEverythingElse", "ReplyMapOfTheGateway")
    ]
    found = report(2, groups=False)
    first, second, system = found.goroutines
    found = replace(
        found,
        goroutines=(replace(first, function=names[0]), replace(second, function=names[1]), system),
    )
    shown = text(found).splitlines()
    assert "github.com" not in "\n".join(shown)
    assert max(map(len, shown)) <= 80
    at, end = shown[2].index(" at ") + 1, shown[2].index("stack")
    told = "".join(line[at:].split("  ")[0].strip() for line in shown[3:-3] if line[at:end].strip())
    assert told.startswith("".join("server" + name.removeprefix(package) for name in names))
    whole = text(found, RenderOptions(verbose=True)).replace(" ", "").replace("\n", "")
    assert "github.com/nats-io" in whole


def test_what_calls_itself_again_and_again_is_told_once_with_how_often() -> None:
    def called(name: str, line: int) -> CallSite:
        return CallSite(f"main.{name}", "/home/gopher/main.go", line, Address(line), own=True)

    down, term, factor = called("down", 4), called("term", 8), called("factor", 9)
    round_about = (
        *PARKED[:1],
        called("wait", 3),
        *[down] * 3000,
        *[term, factor] * 40,
        *[term] * 2,
    )
    group = GoroutineGroup(1, "waiting", "sleep", (1,), (*round_about, *PARKED[2:]))
    found = replace(report(), groups=(group,))
    few = " ".join(text(found).split())
    deep = "main.wait main.go:3 main.down main.go:4 … the same 2,999 times more"
    both = " main.term main.go:8 main.factor main.go:9 … these 2 frames 39 times more"
    assert f"{deep}{both} … 2 more frames: --stacks shows all Next" in few
    goroutine = replace(state(1), frames=group.frames)
    shown = text(replace(found, goroutines=(goroutine,)))
    rounds = " main.term main.go:8 main.factor main.go:9 … these 2 frames 39 times more"
    rest = " main.term main.go:8 main.term main.go:8 runtime.goexit"
    assert deep + rounds + rest in " ".join(shown.split())
