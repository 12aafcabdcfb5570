"""Modules of real processes: programs, plugins, stripped binaries; and broken lists."""

from __future__ import annotations

import struct

import msgspec
import pytest

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.find import find_module_head, module_head, open_line_table
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Buffer, Memory
from goprobe.runtime.image.modules import line_table_of, read_modules
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World
from goprobe.target.live import stopped_target
from tests.runtime.stackprograms import PARKED
from tests.support.go import build, has_gcc, matrix, running

RELEASES = pytest.mark.parametrize("go", matrix())
BUILDS = {
    "plain": (),
    "pie": ("-buildmode=pie",),
    "stripped": ("-ldflags=-s -w",),
    "stripped-pie": ("-buildmode=pie", "-ldflags=-s -w"),
}

PLUGIN = """package main

import "fmt"

var Kept = make([]int, 100)

type Stranger struct{ next *Stranger }

//go:noinline
func waitInPlugin(c chan int) { <-c }

func Run(c chan int) {
	fmt.Sprint(Kept)
	waitInPlugin(c)
}
"""

HOST = """package main

import (
	"fmt"
	"os"
	"plugin"
	"time"
	"unsafe"
)

func funcval(f func(chan int)) unsafe.Pointer { return unsafe.Pointer(&f) }

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	run, _ := p.Lookup("Run")
	kept, _ := p.Lookup("Kept")
	fmt.Printf("run %#x\\n", **(**uintptr)(funcval(run.(func(chan int)))))
	fmt.Printf("kept %p\\n", kept)
	go run.(func(chan int))(make(chan int))
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
"""


class Overlay:
    """A memory in which some words differ."""

    def __init__(self, memory: Memory, words: dict[int, int]) -> None:
        self._memory = memory
        self._words = words

    def read(self, address: int, size: int) -> bytes:
        data = bytearray(self._memory.read(address, size))
        for at, value in self._words.items():
            if address <= at <= address + size - 8:
                data[at - address : at - address + 8] = struct.pack("<Q", value)
        return bytes(data)

    def read_many(self, ranges: object) -> list[bytes | None]:
        raise NotImplementedError

    def read_into(self, address: int, buffer: Buffer) -> None:
        raise NotImplementedError


def first_of(world: World) -> int:
    return world.roots["firstmoduledata"]


@pytest.mark.parametrize("kind", BUILDS)
@RELEASES
def test_the_programs_own_module(go: str, kind: str) -> None:
    binary = build(PARKED, go=go, flags=BUILDS[kind])
    elf = ElfFile(binary)
    with running(binary) as program, stopped_target(program.pid) as stopped:
        world = stopped.world
        found = find_module_head(elf)
        modules = read_modules(world.memory, world.layout, first_of(world))
        table = line_table_of(world.memory, modules.first)
    assert found and found.address + world.bias == first_of(world)
    (module,) = modules
    assert not modules.broken and not module.bad and not module.plugin
    named = (found.text + world.bias, found.etext + world.bias, found.gofunc + world.bias)
    assert named == (module["text"], module["etext"], table.gofunc)
    assert (module.minpc, module.maxpc) == (world.lines.low, world.lines.high)
    for section in ("noptrdata", "data", "bss", "noptrbss"):
        low, high = module.span(section)
        there = elf.section(f".{section}")
        assert there and low - world.bias == there.address
        assert module.section_of(low) == section or low == high
    address, bits = module.pointers["data"]
    low, high = module.span("data")
    assert address and bits == (high - low) // 8
    # The table that is read from memory is the one in the file.
    main, same = (t.function_named("main.main") for t in (table, world.lines))
    assert main and same
    assert msgspec.structs.astuple(main)[1:] == msgspec.structs.astuple(same)[1:]  # not the table
    assert table.inline_stack(main, main.end - 1) == world.lines.inline_stack(main, main.end - 1)


@pytest.mark.parametrize("kind", BUILDS)
@RELEASES
def test_nothing_else_in_a_binary_is_a_moduledata(go: str, kind: str) -> None:
    elf = ElfFile(build(PARKED, go=go, flags=BUILDS[kind]))
    image, table = Image(elf), open_line_table(elf)
    pointers = set(image.pointers_to(table.address))
    heads = [module_head(image.pointer, at, table.address, table.header) for at in pointers]
    assert len([head for head in heads if head]) == 1


# Only the newest Go: a plugin's build compiles the whole standard library once more.
@pytest.mark.skipif(not has_gcc(), reason="plugins need gcc")
@pytest.mark.parametrize("go", matrix()[-1:])
def test_plugins_are_modules_too(go: str) -> None:
    cgo = {"CGO_ENABLED": "1"}
    plugin = build(PLUGIN, go=go, flags=("-buildmode=plugin",), env=cgo)
    with (
        running(build(HOST, go=go, env=cgo), str(plugin)) as program,
        stopped_target(program.pid) as stopped,
    ):
        world, stacks = stopped.world, Stacks(stopped.world)
        main, other = stacks.modules
        run, kept = program.address("run"), program.address("kept")
        assert not main.plugin
        assert other.plugin
        assert stacks.modules.of_code(run) is other
        assert stacks.modules.of_data(kept) is other and other.section_of(kept) == "bss"
        function = stacks.code.function_at(run)
        assert function and function.entry == run and function.name.endswith(".Run")
        assert world.lines.function_at(run) is None
        tops = []
        for g in world.goroutines.all:
            unwound = stacks.of_goroutine(g)
            frames = [f.function.rpartition(".")[2] for f in stacks.source(unwound)]
            if "waitInPlugin" in frames:
                tops = frames
                assert unwound.complete
    assert tops[-4:-1][:2] == ["waitInPlugin", "Run"]


@RELEASES
def test_a_broken_list_of_modules_ends(go: str) -> None:
    with running(build(PARKED, go=go)) as program, stopped_target(program.pid) as stopped:
        world = stopped.world
        first = first_of(world)
        following = first + world.layout.offset("moduledata", "next")
        size = first + world.layout.offset("moduledata", "modulename") + 8
        read = world.layout, first

        def with_words(words: dict[int, int]) -> Memory:
            return Overlay(world.memory, words)

        circle = read_modules(with_words({following: first}), *read)
        assert len(circle) == 1 and "comes back" in circle.broken
        lost = read_modules(with_words({following: 0x1000}), *read)
        assert len(lost) == 1 and "cannot be read" in lost.broken
        huge = read_modules(with_words({size: 1 << 62}), *read)
        assert huge.first.name == ""
        with pytest.raises(UnreadableError):
            read_modules(world.memory, world.layout, 0x1000)
        pcln = first + world.layout.offset("moduledata", "pclntable") + 8
        with pytest.raises(UnreadableError):
            line_table_of(world.memory, read_modules(with_words({pcln: 1 << 60}), *read).first)
