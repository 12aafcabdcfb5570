"""A Go process as it stands at one moment: what every question is asked of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping as MappingOf, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from goprobe.binary.dwarf.constants import ConstantNames
from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.format import shown_name
from goprobe.binary.pcln.inlining import written_in
from goprobe.binary.pcln.table import LineTable
from goprobe.budget import BASE, Budget
from goprobe.elfheaders import PT_LOAD
from goprobe.errors import GoprobeError, NotGoError, TargetError, UnreadableError
from goprobe.model.report import Head
from goprobe.process.memory.memory import Memory
from goprobe.process.memory.metered import MeteredMemory
from goprobe.process.proc.maps import Mapping, find
from goprobe.process.proc.procfs import PAGE_SIZE, occupied_bytes
from goprobe.runtime.goroutines.goroutines import Goroutines
from goprobe.runtime.heap.heap import Heap
from goprobe.runtime.image.code import Code
from goprobe.runtime.image.goimage import GoImage, head_of
from goprobe.runtime.image.loaded import Loaded, loaded
from goprobe.runtime.image.modules import Modules, read_modules
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Described, Layout
from goprobe.runtime.systemstacks import SystemStacks
from goprobe.runtime.types.describedtypes import DescribedTypes
from goprobe.runtime.types.typedata import TypeData, TypeSection

if TYPE_CHECKING:
    from goprobe.arch.machinecode import StaticOperands
    from goprobe.process.memory.copies import Words
    from goprobe.runtime.goroutines.waiting import WaitingLists
    from goprobe.runtime.types.catalog import Catalog
    from goprobe.runtime.types.namesakes import Namesakes

_USED = ("text", "rodata", "data", "bss")
_PASSES = 4  # how often any byte of a process may be looked at: none takes one look at a third

_GENERIC_METHODS = GoVersion(1, 27)


class ThreadState(Protocol):
    """What is asked of a thread's registers."""

    @property
    def pc(self) -> int: ...
    @property
    def sp(self) -> int: ...
    @property
    def fp(self) -> int: ...
    @property
    def thread(self) -> int:
        """Where the thread's own storage hangs."""

    def value(self, name: str) -> int:
        """A general register by its name (`goprobe.arch.registers.GENERAL`)."""


class World:
    """One consistent view: memory, mappings, registers and Go's bookkeeping of one stop.

    `bias` is what to add to a link-time address of the main binary. Nothing in it outlives the
    stop: after the process ran on, a new World is needed.

    It is made for one question, or for the few that one answer takes: what they read is bounded by
    a budget, after the size of the process (`memory_size`: bytes of memory there are, where that
    is not a live process's). Raises TargetError where reading would not end. `beside` are other Go
    programs in the process; of a plugin, `host` is the program that loaded it.
    """

    def __init__(
        self,
        pid: int,
        program: GoProgram,
        memory: Memory,
        mappings: tuple[Mapping, ...],
        threads: MappingOf[int, ThreadState],
        bias: int,
        memory_size: int | None = None,
        beside: Sequence[GoImage] = (),
        host: World | None = None,
    ) -> None:
        self.pid = pid
        self.program = program
        self._memory_size = memory_size
        self._budget = Budget(BASE, self._endless, self._allowance)
        self.memory: Memory = MeteredMemory(memory, self._budget)
        program.renew()
        self.mappings = mappings
        self.threads = threads
        self.bias = bias
        self._beside = beside
        self._host = host

    def renew(self) -> None:
        """Another question begins: it may cost as much as the one before."""
        self._budget.renew()
        self.program.renew()

    def _allowance(self) -> int:
        """What more may be spent on so large a process; asked for by few questions."""
        if self._memory_size is not None:
            return _PASSES * self._memory_size
        with suppress(GoprobeError):
            return _PASSES * occupied_bytes(self.pid)
        return 0

    def _endless(self) -> TargetError:
        return TargetError(
            f"the memory of process {self.pid} leads nowhere: what the question needs would not "
            "end (its runtime's structures are corrupt)"
        )

    @cached_property
    def beside(self) -> tuple[World, ...]:
        """The same process as seen from other Go programs in it."""
        return tuple(self._seen_from(image) for image in self._beside)

    def _seen_from(self, image: GoImage, host: World | None = None) -> World:
        return World(
            self.pid,
            image.program,
            self.memory,
            self.mappings,
            self.threads,
            image.bias,
            self._memory_size,
            host=host,
        )

    @cached_property
    def plugins(self) -> tuple[World, ...]:
        """The same process as seen from the plugins of a live one whose files can be read."""
        if self._host is not None or len(self.modules) < 2 or self._memory_size is not None:
            return ()
        from goprobe.runtime.image.plugins import plugin_images  # few programs have any

        own = GoImage(self.program, self.bias)
        images = plugin_images(self.pid, own, self.modules.all, self.mappings)
        return tuple(self._seen_from(image, host=self) for image in images)

    def seen_at(self, pc: int) -> World:
        """As the plugin sees it whose code is there; this one where that is no plugin's."""
        if self._host is None and pc not in self.code_span:
            for plugin in self.plugins:
                if pc in plugin.code_span:
                    return plugin
        return self

    def is_in_plugin(self, pc: int) -> bool:
        return self.seen_at(pc) is not self

    def unknown_at(self, pc: int) -> str:
        """Why nothing is known of the variables of Go code there, "" where it is."""
        module = None if pc in self.code_span else self.modules.of_code(pc)
        if module is None or self.is_in_plugin(pc):
            return ""
        file = find(self.mappings, pc)
        name = module.plugin or (file.path if file else "")
        if self._memory_size is not None:
            return f"a core does not have the file of the plugin {name}"
        return f"the file of the plugin {name} cannot be read, or is another by now"

    @cached_property
    def code_span(self) -> range:
        """Of the program's own Go code."""
        return range(self.lines.low, self.lines.high)

    @property
    def head(self) -> Head:
        return head_of(self.pid, self.program, self._beside)

    @property
    def layout(self) -> Layout:
        return self.program.facts.layout

    @cached_property
    def roots(self) -> dict[str, int]:
        """Addresses of the runtime's globals in this process."""
        return Described({n: a + self.bias for n, a in self.program.facts.roots.items()})

    @cached_property
    def lines(self) -> LineTable:
        """The line table at this process's addresses."""
        table = self.program.lines
        return table.rebased(self.bias) if self.bias else table

    @cached_property
    def heap(self) -> Heap:
        return Heap(self.memory, self.layout, self.roots["mheap_"])

    @cached_property
    def image(self) -> Loaded:
        """Where the program's own executable is loaded."""
        return loaded(self.program.elf.segments, self.bias, self.mappings)

    @property
    def static(self) -> tuple[int, int]:
        """[low, high) of the program itself in the process's memory."""
        return GoImage(self.program, self.bias).span

    @cached_property
    def waiting(self) -> WaitingLists:
        """What each blocked goroutine hangs in."""
        from goprobe.runtime.goroutines.waiting import waiting_lists  # brings numpy along

        return waiting_lists(self.memory, self.layout, self.goroutines.known)

    @cached_property
    def goroutines(self) -> Goroutines:
        if self._host is not None:
            return self._host.goroutines
        return Goroutines(self.memory, self.layout, self.roots)

    @cached_property
    def has_c(self) -> bool:
        """Whether C code lives in the process: a libc is mapped, or the runtime says cgo."""
        at = self.roots.get("iscgo")
        try:
            if at and self.memory.read(at, 1) != b"\0":
                return True
        except UnreadableError:
            pass
        return any("/libc" in m.path or "/ld-musl" in m.path for m in self.mappings)

    @cached_property
    def system_stacks(self) -> SystemStacks:
        return SystemStacks(self)

    @cached_property
    def modules(self) -> Modules:
        """The program and its plugins; none where the list cannot be read."""
        if self._host is not None:
            return self._host.modules
        try:
            return read_modules(self.memory, self.layout, self.roots["firstmoduledata"])
        except (UnreadableError, KeyError) as error:
            return Modules((), f"the modules cannot be read: {error}")

    @cached_property
    def code(self) -> Code:
        """The Go code of the program and its plugins."""
        if self._host is not None:
            return self._host.code
        return Code(self.lines, self.modules, self.memory, self.program.looked_up)

    def function_name(self, pc: int) -> str:
        """The function whose code covers an address, "" where there is none."""
        function = self.code.function_at(pc)
        return function.name if function else self.program.function_name(pc - self.bias)

    def shown_name(self, function: str) -> str:
        """A function's name as this program prints it."""
        return shown_name(function, methods=self.program.go >= _GENERIC_METHODS)

    @cached_property
    def types(self) -> DescribedTypes:
        """What values are decoded by."""
        debug = self.program.debug
        return DescribedTypes(
            self.memory, self.layout, debug.types, self.typedata, ConstantNames(debug)
        )

    @cached_property
    def typedata(self) -> TypeData:
        own = self.modules.of_code(self.lines.low)
        modules = sorted(self.modules, key=lambda module: module is not own)
        sections = [TypeSection(m["types"], m["etypes"]) for m in modules]
        return TypeData(
            self.memory,
            self.layout,
            self.program,
            self.bias,
            sections,
            lambda rtype: self._namesakes.apart(rtype),
        )

    @cached_property
    def operands(self) -> StaticOperands:
        """Where the code of the program's own module uses variables, and takes addresses of
        functions, types and other constants. At link-time addresses."""
        # Brings the decoder of instructions along, which few questions need.
        from goprobe.arch.machinecode import static_operands

        module = next((m for m in self.modules if not m.name and not m.bad), None)
        spans = [module.span(name) for name in _USED] if module else []
        parts = [(low - self.bias, high - self.bias) for low, high in spans]
        try:
            return static_operands(self.program.elf.code(), parts)
        except GoprobeError:
            return static_operands((), ())

    @cached_property
    def named(self) -> Words:
        """The addresses that code takes, in the process, ascending."""
        import numpy as np

        from goprobe.runtime.heap.grouping import distinct

        taken = distinct(self.operands.target[self.operands.taken])
        return taken.astype(np.uint64) + np.uint64(self.bias)

    @cached_property
    def catalog(self) -> Catalog:
        """Every type that the program's modules list, or its code names."""
        from goprobe.runtime.types.catalog import read_catalog  # brings numpy along

        return read_catalog(self.memory, self.layout, self.modules, self.named)

    @cached_property
    def _namesakes(self) -> Namesakes:
        from goprobe.runtime.types.namesakes import Namesakes  # few questions name types

        types = self.typedata
        return Namesakes(
            self.catalog.namesakes(),
            types.written,
            lambda rtype: self._naming((rtype, types.pointer_to(rtype))),
            self.bias,
        )

    def _naming(self, addresses: Iterable[int]) -> list[frozenset[str]]:
        """Of each function whose code takes one of some addresses, what it is made of."""
        pcs = [pc for at in addresses if at for pc, _ in self.operands.at(at - self.bias)]
        try:
            functions = {self.lines.function_at(pc + self.bias) for pc in pcs}
            return [written_in(self.lines, each) for each in functions if each]
        except (UnreadableError, NotGoError):
            return []


def load_bias(
    program: GoProgram, mappings: tuple[Mapping, ...], executable: str, entry: int = 0
) -> int:
    """How far above its link-time addresses the binary was loaded, in bytes; 0 unless a PIE.

    `entry` is where the kernel had the process begin (AT_ENTRY): the binary's own entry, wherever
    its file is by now. Without it (0: some cores) the mappings of the file tell.
    """
    elf = program.elf
    if not elf.pie:
        return 0
    loads = [s for s in elf.segments if s.type == PT_LOAD]
    bias: int = entry - elf.entry
    if entry and bias % PAGE_SIZE == 0 and loaded(loads, bias, mappings).parts:
        return bias
    path = executable.replace("\n", "\\012")  # as /proc/PID/maps writes it
    return bias_of(elf, [m for m in mappings if m.path in (path, f"{path} (deleted)")], mappings)


def bias_of(elf: ElfFile, own: Sequence[Mapping], mappings: Sequence[Mapping]) -> int:
    """The same of a file by its `own` ones of all mappings, 0 where they tell nothing. Its bytes
    may be mapped as data, too: the code says where it is loaded."""
    loads = [s for s in elf.segments if s.type == PT_LOAD]
    for m in (m for m in own if "x" in m.perms):
        for load in loads:
            if load.offset & -PAGE_SIZE == m.offset:
                bias = m.low - (load.address & -PAGE_SIZE)
                if loaded(loads, bias, mappings).parts:
                    return bias
    starts = [m.low - m.offset for m in own]
    return min(starts) - min((s.address for s in loads), default=0) if starts else 0
