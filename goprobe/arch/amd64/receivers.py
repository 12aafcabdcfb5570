"""Of calls of some methods in a function's code: which object each is called for, as far as the
code and the frame tell, and whether control has passed one on every way to a place.

Methods of package sync that are inlined begin with an atomic instruction, and call a function of
theirs where that did not do: by this they are known, and called they are where the other is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache, partial

import msgspec
from iced_x86 import FlowControl, Instruction, Mnemonic, OpKind

from goprobe.arch.amd64.codeflow import ENTRY, MOVES, CodeFlow, FrameSlot, full_name
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.reaching import Definition, Definitions, Holder
from goprobe.arch.amd64.registers import CLOSURE, INTEGER_ARGUMENTS, signed

_WORD = 8
_STEPS = 6
_WALK_LIMIT = 20000
_NEAR = 64  # instructions between an atomic one and the call for when it did not do

Names = Callable[[int], str]
"""A name for the function at a link-time address, "" for those of no interest."""
Called = Callable[[int, int, Callable[[], int | None]], str]
"""The same of what is called there by the call at another, which is given a number beside its
object, where the code says it."""


class MethodCall(msgspec.Struct, frozen=True):
    """Of the method `name`, at `pc`; its object is what `base` holds there and `plus` bytes, or
    lies at the link-time address `plus` (`base` is None). `waits` is where one that was inlined
    calls what it waits in."""

    name: str
    pc: int
    base: Holder | None
    plus: int
    waits: int = 0


class Place(msgspec.Struct, frozen=True):
    """Where the object's address may be had from: `fixed` at link time (0: not), else from any of
    `slots`, words of the frame by their distance from its CFA, with what is to be added; or, in a
    closure's function, by what lies `closure` bytes in the closure, `plus` that; or it lies `plus`
    bytes into what the function was given in the register `argument`.

    `made` are the pcs of the instructions that made it: run once more, they make another. `loaded`
    says how it was come by from a variable of the package: that one's link-time address, and what
    is added behind each pointer.
    """

    fixed: int = 0
    slots: tuple[tuple[int, int], ...] = ()
    closure: int = 0
    plus: int = 0
    made: frozenset[int] = frozenset()
    loaded: tuple[int, ...] = ()
    argument: str = ""

    def same(self, other: Place) -> bool:
        """Whether both are made alike, and so of one object, unless a variable is set anew."""
        alike = self == other and self != Place()
        return alike or (bool(self.loaded) and self.loaded == other.loaded)


class Ways(msgspec.Struct, frozen=True):
    """The ways on which control may have come to a place. `met` are the calls at which some end,
    `through` all instructions behind those, `open`: on some way there is none."""

    met: frozenset[int]
    through: frozenset[int]
    open: bool


class Receivers:
    """Of one function. `called` names what is called at an address, `inlined` the method that calls
    it where that is inlined; both only of what is asked about."""

    def __init__(
        self, flow: CodeFlow, called: Called, inlined: Names, offsets: Mapping[str, int]
    ) -> None:
        """`offsets` say at which part of its object each method has its atomic instruction."""
        self.flow, self._called, self._inlined = flow, called, inlined
        self._offsets = offsets
        self._definitions = Definitions(flow)
        self._places = lru_cache(maxsize=4096)(self._find)  # many frames stand at one pc

    @cached_property
    def calls(self) -> tuple[MethodCall, ...]:
        return tuple(self._calls())

    def _calls(self) -> Iterator[MethodCall]:
        begun: dict[int, MethodCall] = {}
        for ins in self.flow.instructions.values():
            if ins.flow_control != FlowControl.CALL:
                continue
            number = partial(self._number, ins.ip)
            if name := self._called(ins.near_branch_target, ins.ip, number):
                yield MethodCall(name, ins.ip, INTEGER_ARGUMENTS[0], 0)
            elif name := self._inlined(ins.near_branch_target):
                for atomic in self._atomics_before(ins.ip):
                    begun[atomic.ip] = self._by_atomic(name, atomic, ins.ip)
        yield from begun.values()

    def _number(self, pc: int) -> int | None:
        """The second argument of the call at `pc`, where it is a constant."""
        definition = self._one(INTEGER_ARGUMENTS[1], pc)
        ins = self.flow.instructions.get(definition.pc) if definition is not None else None
        number = immediate(ins) if ins is not None and ins.mnemonic == Mnemonic.MOV else None
        return None if number is None else signed(number)

    def _atomics_before(self, pc: int) -> Iterator[Instruction]:
        """The nearest atomic instruction on each way to `pc`."""
        code = self.flow.instructions
        ways = self.ways(pc, lambda before: bool(code[before].has_lock_prefix), _NEAR)
        return (code[at] for at in ways.met)

    def _by_atomic(self, name: str, ins: Instruction, waits: int) -> MethodCall:
        back = self._offsets.get(name, 0)
        if ins.is_ip_rel_memory_operand:
            return MethodCall(name, ins.ip, None, ins.ip_rel_memory_address - back, waits)
        base = "" if ins.memory_index else full_name(ins.memory_base)
        return MethodCall(name, ins.ip, base, signed(ins.memory_displacement) - back, waits)

    def place(self, call: MethodCall, pc: int) -> Place:
        """How to find the object of a call in a frame that stands at `pc`."""
        return self._places(call, pc)

    def _find(self, call: MethodCall, pc: int) -> Place:
        if call.base is None:
            return Place(fixed=call.plus)
        holder, at, plus = call.base, call.pc, call.plus
        slots: dict[tuple[int, int], None] = {}
        made: set[int] = set()
        loads: list[int] = []
        for _ in range(_STEPS):
            definition = self._one(holder, at) if holder else None
            if definition is None:
                if holder and not loads and (fixed := self._made_alike(holder, at)):
                    return Place(fixed=fixed + plus)
                break
            if not loads:
                made |= {definition.pc} - {ENTRY}
                slots |= dict.fromkeys((slot, plus) for slot in self._holding(definition, pc))
            if definition.pc == ENTRY and not loads and definition.holder in INTEGER_ARGUMENTS:
                given = str(definition.holder)
                return Place(slots=tuple(slots), made=frozenset(made), plus=plus, argument=given)
            ins = self.flow.instructions.get(definition.pc)
            base = self._derived(ins) if ins is not None else None
            if base is None or ins is None:
                break
            into = signed(ins.memory_displacement)
            if ins.mnemonic == Mnemonic.ADD:
                into = signed(immediate(ins) or 0)
            if ins.is_ip_rel_memory_operand:
                variable = ins.ip_rel_memory_address
                if ins.mnemonic in MOVES:
                    loaded = (variable, plus, *reversed(loads))
                elif not loads:
                    return Place(fixed=variable + plus)
                else:
                    loaded = (variable + plus, *reversed(loads))
                return Place(slots=tuple(slots), made=frozenset(made), loaded=loaded)
            if ins.mnemonic in MOVES:
                if not loads and base == CLOSURE and self._is_entered(CLOSURE, ins.ip):
                    return Place(slots=tuple(slots), closure=into, plus=plus, made=frozenset(made))
                loads.append(plus)
                plus = 0
            holder, at, plus = base, ins.ip, plus + into
        return Place(slots=tuple(slots), made=frozenset(made))

    def _made_alike(self, holder: Holder, pc: int) -> int:
        """The address of a variable that a holder has on every way, made anew on some of them
        (behind a call, for one); 0 where there is none."""
        reaching = self._definitions.of(holder, pc) or ()
        made = {self._static(self.flow.instructions.get(d.pc)) for d in reaching}
        return made.pop() if len(made) == 1 else 0

    def _static(self, ins: Instruction | None) -> int:
        if ins is None or ins.mnemonic != Mnemonic.LEA or not ins.is_ip_rel_memory_operand:
            return 0
        return ins.ip_rel_memory_address

    def _derived(self, ins: Instruction) -> str | None:
        """The register from which an instruction takes an address, or the word that it loads."""
        if ins.mnemonic == Mnemonic.ADD and immediate(ins) is not None:
            return full_name(ins.op0_register) or None
        loads = ins.mnemonic == Mnemonic.MOV and ins.op1_kind == OpKind.MEMORY
        if (loads or ins.mnemonic == Mnemonic.LEA) and not ins.memory_index:
            return "rip" if ins.is_ip_rel_memory_operand else full_name(ins.memory_base) or None
        return None

    def _is_entered(self, register: str, pc: int) -> bool:
        definition = self._one(register, pc)
        return definition is not None and definition.pc == ENTRY and definition.holder == register

    def _one(self, holder: Holder, pc: int) -> Definition | None:
        reaching = self._definitions.of(holder, pc)
        if reaching is None or len({(d.pc, d.holder) for d in reaching}) != 1:
            return None
        return next(iter(reaching))

    @cached_property
    def _stored(self) -> tuple[FrameSlot, ...]:
        """The words of the frame that the function writes, and those it was given by its caller."""
        stores = (s for ins in self.flow.instructions.values() for s in self.flow.stores(ins))
        return tuple(dict.fromkeys(s for s in stores if s.size == _WORD))

    def _holding(self, definition: Definition, pc: int) -> Iterator[int]:
        for slot in self._stored:
            kept = self._one(slot, pc)
            if kept is not None and (kept.pc, kept.holder) == (definition.pc, definition.holder):
                yield slot.offset

    def ways(self, pc: int, ends: Callable[[int], bool], most: int = _WALK_LIMIT) -> Ways:
        """Those on which control came to the call that `pc` is within (or to `pc`), back to the
        nearest instructions at which `ends` says that they end."""
        flow = self.flow
        call = flow.call_at(pc)
        at = pc if call is None else call
        met, through, work, is_open = set[int](), set[int](), [at], at == flow.low
        while work and len(through) < most:
            for before in flow.before.get(work.pop(), ()):
                if before in through or before in met:
                    continue
                if ends(before):
                    met.add(before)
                    continue
                through.add(before)
                is_open |= before == flow.low
                work.append(before)
        return Ways(frozenset(met), frozenset(through), is_open or bool(work))

    def unnamed(self, pcs: frozenset[int]) -> bool:
        """Whether any of these instructions calls what the code does not name."""
        code = self.flow.instructions
        return any(code[pc].flow_control == FlowControl.INDIRECT_CALL for pc in pcs)

    def unnamed_at(self, pc: int) -> bool:
        call = self.flow.call_at(pc)
        return call is not None and self.unnamed(frozenset({call}))

    def targets(self, pcs: frozenset[int]) -> set[int]:
        """The functions that these instructions call by their names."""
        code = self.flow.instructions
        return {
            code[pc].near_branch_target for pc in pcs if code[pc].flow_control == FlowControl.CALL
        }

    def named_calls(self) -> Iterator[tuple[int, int]]:
        """The calls by name, also where nothing is left to do behind them: (pc, function)."""
        flow = self.flow
        for ins in flow.instructions.values():
            if ins.flow_control == FlowControl.CALL or (
                ins.flow_control == FlowControl.UNCONDITIONAL_BRANCH
                and ins.near_branch_target not in flow.instructions
            ):
                yield ins.ip, ins.near_branch_target

    def addresses(self) -> Iterator[tuple[int, int]]:
        """The link-time addresses that the code makes or reads at: (pc, address)."""
        for ins in self.flow.instructions.values():
            if ins.is_ip_rel_memory_operand:
                yield ins.ip, ins.ip_rel_memory_address

    @property
    def every(self) -> frozenset[int]:
        return frozenset(self.flow.instructions)

    def always(self, pc: int) -> bool:
        """Whether control passes `pc` on every way from the function's beginning to a return: not
        where it has none."""
        passed = (not self.ways(at, lambda before: before == pc).open for at in self.returns)
        return bool(self.returns) and all(passed)

    @cached_property
    def returns(self) -> tuple[int, ...]:
        code = self.flow.instructions.values()
        return tuple(ins.ip for ins in code if ins.flow_control == FlowControl.RETURN)

    def leads(self, pc: int, to: int) -> bool:
        """Whether control may come from the call that `pc` is within to an instruction."""
        call = self.flow.call_at(pc)
        start = pc if call is None else call
        ways = self.ways(to, lambda before: before == start)
        return start != to and start in ways.met
