"""Values of the standard library's types: containers, timers, contexts, errors, handles.

Each filler gives an addressable place such a value, and tells what it holds: `Maker` is the writer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from scripts.truths.choices import Choices
from scripts.truths.heaps.types import Ty, Types, pointer, slice_of
from scripts.truths.kind import release


class Maker(Protocol):
    """What fillers need of the writer. `value` is an expression of a value that points somewhere,
    "" for none; `closure` one of a func(), "" for none."""

    choices: Choices
    types: Types
    race: bool

    def say(self, line: str) -> None: ...
    def name(self) -> str: ...
    def value(self, kind: Ty, depth: int) -> str: ...
    def closure(self, depth: int) -> str: ...


Filler = Callable[[Maker, str, Ty, int], None]


def _some(maker: Maker, depth: int) -> str:
    """A pointer to one of the program's structs, "" for none."""
    return maker.value(pointer(maker.types.named(maker.choices)), depth - 1)


def _holds(maker: Maker, place: str, value: str) -> None:
    maker.say(f"holds(unsafe.Pointer(&{place}), unsafe.Pointer({value}))")


def _each(maker: Maker, depth: int, most: int = 3) -> list[str]:
    made = [_some(maker, depth) for _ in range(maker.choices.between(1, most))]
    return [value for value in made if value]


def _sync_map(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    for i, value in enumerate(_each(maker, depth)):
        key = maker.choices.one_of((str(i), f"numbered({i})", f"[3]int{{{i}}}"))
        maker.say(f"{place}.Store({key}, {value})")
        _holds(maker, place, value)
    if maker.choices.chance(30):
        maker.say(f"for i := 100; i < 140; i++ {{ {place}.Store(i, numbered(i)) }}")
    if maker.choices.chance(20):  # what was read often moves, what was deleted leaves holes
        maker.say(f"for i := 0; i < 200; i++ {{ {place}.Load(i) }}")
        maker.say(f"for i := 110; i < 120; i++ {{ {place}.Delete(i) }}")


def _atomic_value(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    if maker.choices.chance(30):
        if value := maker.value(slice_of(maker.types.named(maker.choices)), depth - 1):
            maker.say(f"{place}.Store(boxed({value}))")
            maker.say(f"second(unsafe.Pointer(&{place}))")
    elif value := _some(maker, depth):
        maker.say(f"{place}.Store({value})")
        maker.say(f"second(unsafe.Pointer(&{place}))")


def _atomic_pointer(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    if value := maker.value(pointer(kind.of), depth - 1):
        maker.say(f"{place}.Store({value})")
        maker.say(f"edge(unsafe.Pointer(&{place}))")


def _written(maker: Maker, place: str) -> None:
    for _ in range(maker.choices.between(1, 3)):
        maker.say(f"{place}.WriteString(numbered({maker.choices.one_of((1, 123, 12345))}))")
    if maker.choices.chance(30):
        maker.say(f"{place}.Grow({maker.choices.one_of((100, 5000))})")


def _builder(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """Not in a value that is copied later: it knows its own address."""
    _written(maker, place)
    maker.say(f"built(&{place})")


def _buffer(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    _written(maker, place)
    maker.say(f"array({place}.Bytes())")
    maker.say(f"edge(unsafe.Pointer(&{place}))")


def _list(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    maker.say(f"{place}.Init()")
    for value in _each(maker, depth, 4):
        end = maker.choices.one_of(("Back", "Front"))
        name = maker.name()
        maker.say(f"{name} := value({place}.Push{end}({value}))")
        _holds(maker, place, name)
        maker.say(f"second(unsafe.Pointer(&{name}.Value))")


def _ring(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    name, values = maker.name(), _each(maker, depth)
    maker.say(f"{name} := ring.New({max(len(values), 1) + maker.choices.below(3)})")
    maker.say(
        f"{name}.Do(func(any) {{ value({name}); edge(unsafe.Pointer({name})); "
        f"{name} = {name}.Next() }})"
    )
    for value in values:
        maker.say(f"{name} = {name}.Next(); {name}.Value = {value}")
        maker.say(f"second(unsafe.Pointer(&{name}.Value))")
    maker.say(f"{place} = {name}")
    maker.say(f"edge(unsafe.Pointer(&{place}))")


def _pool(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """Filled when no collection follows any more: two of them would empty it.

    sync.allPools holds a pool from its first use after a collection to the next one (sync/pool.go,
    pinSlow; 1.21 to 1.27).
    """
    maker.say("later(func() {")
    if maker.race:  # where Put does nothing now and then, Get always pins
        maker.say(f"n := {place}.New; {place}.New = nil; {place}.Get(); {place}.New = n")
    for _ in range(maker.choices.between(1, 3)):
        name, of = maker.name(), maker.types.named(maker.choices)
        maker.say(f"{name} := value(new({of.name})); {place}.Put({name})")
        if not maker.race:  # which drops some by chance
            _holds(maker, place, name)
    maker.say(f"kept(unsafe.Pointer(&{place}))")
    maker.say("})")
    if maker.choices.chance(30) and (call := maker.closure(depth - 1)):
        maker.say(f"{{ f := {call}; {place}.New = func() any {{ f(); return nil }} }}")
        maker.say(f"holds(unsafe.Pointer(&{place}), pointer({call}))")


def _context(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    maker.say(f"{place} = context.Background()")
    for _ in range(maker.choices.between(1, 3)):
        before, wrap = maker.name(), maker.choices.below(5)
        held = ""
        if wrap in (2, 4):
            held = _some(maker, depth) if wrap == 2 else maker.closure(depth - 1)
        maker.say(f"{before} := {place}")
        if wrap == 2 and held:
            maker.say(f"{place} = context.WithValue({before}, numbered(1), {held})")
        elif wrap == 1:
            maker.say(f"{place}, _ = context.WithTimeout({before}, time.Hour)")
        elif wrap == 3:
            maker.say(f"{place} = context.WithoutCancel({before})")
        else:
            maker.say(f"{place}, _ = context.WithCancel({before})")
        maker.say(f"holds(held({place}), held({before}))")
        if wrap == 4 and held:
            maker.say(f"context.AfterFunc({place}, {held})")
        if held:
            maker.say(f"holds(held({place}), pointer({held}))")
    maker.say(f"second(unsafe.Pointer(&{place}))")


def _error(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    maker.say(f"{place} = errors.New(numbered(7))")
    maker.say(f"held({place})")
    for _ in range(maker.choices.between(0, 3)):
        before = maker.name()
        wrap = maker.choices.one_of(
            (
                'fmt.Errorf("more: %w", {0})',
                "errors.Join({0}, {0})",
                '&os.PathError{{Op: "open", Path: numbered(1), Err: {0}}}',
                'fmt.Errorf("%w and %w", {0}, io.EOF)',
            )
        ).format(before)
        maker.say(f"{before} := {place}")
        maker.say(f"{place} = {wrap}")
        maker.say(f"holds(held({place}), held({before}))")
    maker.say(f"second(unsafe.Pointer(&{place}))")


def _timer(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    call = maker.closure(depth - 1) if maker.choices.chance(60) else ""
    made = f"time.AfterFunc(time.Hour, {call})" if call else "time.NewTimer(time.Hour)"
    maker.say(f"{place} = value({made})")
    maker.say(f"edge(unsafe.Pointer(&{place}))")
    if call:
        maker.say(f"holds(unsafe.Pointer({place}), pointer({call}))")
    if maker.choices.chance(20):
        maker.say(f"{place}.Stop()")


def _ticker(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    maker.say(f"{place} = value(time.NewTicker(time.Hour))")
    maker.say(f"edge(unsafe.Pointer(&{place}))")


def _weak(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """Keeps nothing alive."""
    if value := maker.value(pointer(kind.of), depth - 1):
        # Of a value without size Go 1.24 ends the program (getWeakHandle, mheap.go).
        maker.say(f"if unsafe.Sizeof(*{value}) > 0 {{ {place} = weak.Make({value}) }}")


def _unique(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    number = str(maker.choices.below(50))
    key = {"int": f"1000 + {number}", "string": f"numbered({number})"}.get(kind.of.name)
    made = key or f"{kind.of.name}{{a: numbered({number})}}"
    maker.say(f"{place} = unique.Make({made})")
    maker.say(f"unified(&{place})")
    maker.say(f"edge(unsafe.Pointer(&{place}))")


def _reflected(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """reflect.Value: its second word is a pointer to what it is of, or the pointer itself."""
    if value := _some(maker, depth):
        of = maker.choices.one_of(("", ".Elem()"))
        maker.say(f"{place} = reflect.ValueOf({value}){of}")
        maker.say(f"second(unsafe.Pointer(&{place}))")


def _made_type(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """A value of a type that reflect makes when the program runs."""
    name = maker.name()
    one = f"typeOf[{maker.types.draw(maker.choices, depth=1).name}]()"
    other = f"typeOf[*{maker.types.named(maker.choices).name}]()"
    made = maker.choices.one_of(
        (
            'reflect.StructOf([]reflect.StructField{{Name: "A", Type: '
            + one
            + '}, {Name: "B", Tag: `of:"B"`, Type: '
            + other
            + "}})",
            f"reflect.ArrayOf({maker.choices.between(2, 6)}, {other})",
            f"reflect.ArrayOf(2, {one})",
        )
    )
    how = maker.choices.below(5)
    if how == 0:
        maker.say(f"{name} := reflect.New({made}).Interface()")
    elif how == 1:
        maker.say(f"{name} := reflect.MakeSlice(reflect.SliceOf({made}), 3, 5).Interface()")
    elif how == 2:
        maker.say(f"{name}m := reflect.MakeMap(reflect.MapOf(typeOf[int](), {made}))")
        maker.say(
            f"for i := 0; i < {maker.choices.one_of((1, 9))}; i++ {{ "
            f"{name}m.SetMapIndex(reflect.ValueOf(i), reflect.Zero({made})) }}"
        )
        maker.say(f"{name} := {name}m.Interface()")
    elif how == 3:
        maker.say(
            f"{name} := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, {made}), 3).Interface()"
        )
    else:
        maker.say(
            f"{name} := reflect.New(reflect.StructOf([]reflect.StructField{{"
            f'{{Name: "X", Type: reflect.SliceOf({made})}}}})).Interface()'
        )
        maker.say(
            f"reflect.ValueOf({name}).Elem().Field(0).Set(reflect.MakeSlice("
            f"reflect.SliceOf({made}), 2, 2))"
        )
    maker.say(f"{place} = dynamic({name})")
    maker.say(f"second(unsafe.Pointer(&{place}))")


def _once(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    """sync.OnceValue: a closure of the library, which keeps the result of the program's."""
    if value := _some(maker, depth):
        name = maker.name()
        maker.say(f"{name} := {value}")
        maker.say(f"{place} = sync.OnceValue(func() any {{ return {name} }})")
        if maker.choices.chance(70):
            maker.say(f"{place}()")
        maker.say(f"closure({place})")
        maker.say(f"edge(unsafe.Pointer(&{place}))")
        maker.say(f"holds(pointer({place}), unsafe.Pointer({name}))")


_LIBRARY: dict[str, tuple[int, Filler]] = {
    "sync.Map": (21, _sync_map),
    "atomic.Value": (21, _atomic_value),
    "atomic.Pointer[T]": (21, _atomic_pointer),
    "strings.Builder": (21, _builder),
    "bytes.Buffer": (21, _buffer),
    "list.List": (21, _list),
    "*ring.Ring": (21, _ring),
    "sync.Pool": (21, _pool),
    "context.Context": (21, _context),
    "error": (21, _error),
    "*time.Timer": (21, _timer),
    "*time.Ticker": (21, _ticker),
    "reflect.Value": (21, _reflected),
    "Dynamic": (21, _made_type),
    "Once": (21, _once),
    "unique.Handle[K]": (23, _unique),
    "weak.Pointer[T]": (24, _weak),
}


def library_of(go: str) -> tuple[str, ...]:
    """The types that a release ("1.27") has."""
    _, minor = release(go)
    return tuple(name for name, (least, _) in _LIBRARY.items() if minor >= least)


def fill(maker: Maker, place: str, kind: Ty, depth: int) -> None:
    name = kind.name.partition("[")[0]
    found = next(f for known, (_, f) in _LIBRARY.items() if known.partition("[")[0] == name)
    found(maker, place, kind, depth)
