"""The statements of which bodies are made: each allocates in a way of its own, or seems to."""

from __future__ import annotations

from collections.abc import Callable

from scripts.truths.allocations.writing import COMPARABLE, LARGEST, Body, value

Statement = Callable[[Body], None]

_SMALL = ("n", "4", "0", "1", "100")
_LARGE = (*_SMALL, "n*20", "5000", "70000", "9000", "33000")
_NARROW = ("int", "byte", "bool", "int32", "uint16", "struct{}", "*int", "[0]int", "string")


def _size(body: Body, kind: str) -> str:
    """Of a slice; what is made often is not large."""
    large = kind in _NARROW and body.times == 1
    return body.choices.one_of(_LARGE if large else _SMALL)


def new(body: Body) -> None:
    kind, name = body.shared.element(), body.name("p")
    literal = kind[:1] == "T" or kind.startswith("[")
    made = f"&{value(kind)}" if literal and "{" in value(kind) else f"new({kind})"
    body.allocating(f"{name} := {made}")
    body.keep(name, f"*{kind}", f"isNil({name} == nil)", name)


def moved(body: Body) -> None:
    kind, name = body.shared.element(), body.name("v")
    body.allocating(f"var {name} {kind} = {value(kind)}")
    body.keep(f"&{name}", f"*{kind}", f"isNil(&{name} == nil)", f"&{name}")
    if body.choices.chance(30):
        several = [body.name("v") for _ in range(body.choices.between(1, 3))]
        for other in several:
            body.allocating(f"{other} := {body.choices.one_of(('n', 'byte(n)', 's', 'n > 1'))}")
            body(f"{body.shared.sink('any')} = &{other}")


def make_slice(body: Body) -> None:
    kind, name = body.shared.element(), body.name("s")
    size = _size(body, kind)
    if body.choices.chance(30):
        size += f", {size}+{body.choices.between(1, 40)}"
    body.allocating(f"{name} := make([]{kind}, {size})")
    body.keep(name, f"[]{kind}", f"len({name})", f"unsafe.SliceData({name})")


def slice_literal(body: Body) -> None:
    kind, name = body.shared.element(), body.name("s")
    values = ", ".join([value(kind)] * body.choices.between(0, 5))
    body.allocating(f"{name} := []{kind}{{{values}}}")
    body.keep(name, f"[]{kind}", f"len({name})", f"unsafe.SliceData({name})")


def append_loop(body: Body) -> None:
    kind, name = body.shared.element(), body.name("s")
    beginnings = (
        f"var {name} []{kind}",
        f"{name} := make([]{kind}, 0, {_size(body, kind)})",
        f"{name} := []{kind}{{}}",
    )
    body.allocating(body.choices.one_of(beginnings))
    with body.repeated(body.name("i"), ("3", "n", "n*10", "200")):
        values = ", ".join([value(kind)] * body.choices.between(1, 3))
        body.allocating(f"{name} = append({name}, {values})")
    body.keep(name, f"[]{kind}", f"cap({name})")


def append_slice(body: Body) -> None:
    name = body.name("s")
    source = body.choices.one_of(("b", "s", "make([]byte, n)", "b[:min(n%3, len(b))]"))
    start = body.choices.one_of(("[]byte(nil)", "b[:0]", "b", "make([]byte, 0, 16)", "b[:0:0]"))
    body.allocating(f"{name} := append({start}, {source}...)")
    body.keep(name, "[]byte", f"len({name})")


def concatenation(body: Body) -> None:
    name = body.name("t")
    parts = ["s"] + [
        body.choices.one_of(("s", '"x"', '""', "empty", "long", "globalString"))
        for _ in range(body.choices.between(1, 6))
    ]
    body.allocating(f"{name} := {' + '.join(parts)}")
    body.keep(name, "string", f"len({name})")


def conversion(body: Body) -> None:
    name = body.name("t")
    made, kind = body.choices.one_of(
        (
            ("[]byte(s)", "[]byte"),
            ("string(b)", "string"),
            ("[]rune(s)", "[]rune"),
            ("string(rune(n+200))", "string"),
            ("string(runes)", "string"),
            ('[]byte("constant")', "[]byte"),
            ("string(b[:min(n%3, len(b))])", "string"),
            ("[]byte(s + long)", "[]byte"),
            ("string(runes[:n%3])", "string"),
        )
    )
    body.allocating(f"{name} := {made}")
    body.keep(name, kind, f"len({name})")


def temporary_string(body: Body) -> None:
    """Conversions of which the compiler makes none."""
    body.allocating(
        body.choices.one_of(
            (
                "acc += isNil(string(b) == s)",
                "acc += index[string(b)]",
                "for _, c := range []byte(s) { acc += int(c) }",
                'switch string(b) { case "a", s: acc++ }',
                'acc += len("<" + string(b) + ">")',
            )
        )
    )


def boxing(body: Body) -> None:
    kind, name = body.shared.element(), body.name("x")
    expression = body.choices.one_of((value(kind), *_CONSTANTS))
    if kind in ("any", "error"):
        expression = body.choices.one_of(("n", "s", *_CONSTANTS))
    body.allocating(f"var {name} any = {expression}")
    body.keep(name, "any", f"isNil({name} == nil)")


_CONSTANTS = ("7", "100000", '"text"', "n & 127", "int64(n)*1000", "n*1000", "2.5", "true",
              "uint16(n*300)", "s[:n%2]", "byte(n)", "'x'", "struct{ a, b int }{1, 2}")  # fmt: skip


def closure(body: Body) -> None:
    name, captured = body.name("f"), body.name("c")
    body.allocating(f"{captured} := {body.choices.one_of(('n', 'n+1', 'len(s)'))}")
    by_reference = body.choices.chance(50)
    inside = f"{captured} += n; return {captured}" if by_reference else f"return {captured} + n"
    if body.choices.chance(20):
        inside = "return 1"
    body.allocating(f"{name} := func() int {{ {inside} }}")
    if by_reference:
        body(f"{captured}++")
    body.keep(name, "func() int", f"{name}()")
    body(f"acc += {captured}")


def method_value(body: Body) -> None:
    name, receiver = body.name("f"), body.name("r")
    kind = body.choices.one_of(("receiver", "*receiver"))
    body.allocating(f"var {receiver} {kind} = {'' if kind[0] != '*' else '&'}receiver{{n}}")
    body.allocating(f"{name} := {receiver}.{'value' if kind[0] != '*' else 'pointer'}")
    body.keep(name, "func() int", f"{name}()")


def variadic(body: Body) -> None:
    body.allocating(
        body.choices.one_of(
            (
                "acc += sum(n, n, n)",
                "acc += count(n, s)",
                "acc += sum()",
                "acc += len(fmt.Sprint(n, s))",
                "acc += keepAll(n, s, 1)",
                "acc += keepInts(n, 2)",
                'acc += len(fmt.Sprintf("%d %s", n, s))',
                "acc += count(s, b, 5, n > 1, nil)",
                "fmt.Fprintln(io.Discard, n, s)",
            )
        )
    )


def library(body: Body) -> None:
    expression = body.choices.one_of(
        (
            ("len(strconv.Itoa(n*1000))"),
            ('len(errors.New("e").Error())'),
            ("len(strings.Repeat(s, 3))"),
            ('len(strings.Split(long, "o"))'),
            ('len(fmt.Errorf("e %d %w", n, os.ErrExist).Error())'),
            ("len(strconv.Quote(s))"),
            ("len(strings.ToUpper(s))"),
            ("sorted(globals)"),
            ("len(bytes.ToUpper(b))"),
            ("built(s, n)"),
        )
    )
    body.allocating(f"acc += {expression}")


def go_statement(body: Body) -> None:
    group = body.name("wg")
    body.allocating(f"var {group} sync.WaitGroup")
    with body.repeated(i := body.name("i"), ("1", "2", "4")):
        body(f"{group}.Add(1)")
        if body.choices.chance(50):
            body.allocating(f"go func(k int) {{ global += k; {group}.Done() }}({i})")
        else:
            body.allocating(
                body.choices.one_of(
                    (
                        f"go func() {{ {group}.Done() }}()",
                        f"go done(&{group}, n)",
                        f"go {group}.Done()",
                        f"go done(&{group}, n, s)",
                    )
                )
            )
        body(f"{group}.Wait()")


def defers(body: Body) -> None:
    with body.block("func()", "}()"), body.repeated("k", ("1", "3", "n")):
        statement = body.choices.one_of(
            (
                "defer func() { acc++ }()",
                "defer sum(k, n)",
                "defer keepAll(k)",
                "defer receiver{k}.value()",
            )
        )
        body.allocating(statement)


def map_inserts(body: Body) -> None:
    key = body.choices.one_of(COMPARABLE)
    element = body.shared.element()
    name, index = body.name("m"), body.name("i")
    made = body.choices.one_of(
        (
            f"make(map[{key}]{element})",
            f"make(map[{key}]{element}, 4)",
            f"map[{key}]{element}{{}}",
            f"make(map[{key}]{element}, n*10)",
            f"make(map[{key}]{element}, 100)",
        )
    )
    body.allocating(f"{name} := {made}")
    with body.repeated(index, ("3", "n", "n*5", "40")):
        inner = {
            "int": index,
            "byte": f"byte({index})",
            "[3]int": f"[3]int{{{index}}}",
            "float64": f"float64({index})",
            "int32": f"int32({index})",
            "[20]byte": f"[20]byte{{byte({index})}}",
            "string": f"long[:{index}%len(long)]",
            "[200]byte": f"[200]byte{{byte({index})}}",
        }.get(key, value(key))
        body.allocating(f"{name}[{inner}] = {value(element)}")
    if body.choices.chance(20):
        body.allocating(f"delete({name}, {value(key)})")
    body.keep(name, f"map[{key}]{element}", f"len({name})")


def map_literal(body: Body) -> None:
    name = body.name("m")
    count = body.choices.between(0, 30)
    pairs = ", ".join(f"{i}: {body.choices.one_of(('n', '1'))}" for i in range(count))
    body.allocating(f"{name} := map[int]int{{{pairs}}}")
    body.keep(name, "map[int]int", f"len({name})")


def channel(body: Body) -> None:
    kind, name = body.shared.element(), body.name("ch")
    body.allocating(f"{name} := make(chan {kind}, {body.choices.one_of(('0', '1', 'n', '20'))})")
    body.keep(name, f"chan {kind}", f"cap({name})")


def copy_struct(body: Body) -> None:
    kind, name = body.shared.choices.one_of(("receiver", *body.shared.structs)), body.name("c")
    body.allocating(f"{name} := *(*{kind})(&{kind}{{}})")
    body.allocating(f"{name}Copy := &{name}")
    body.keep(f"{name}Copy", f"*{kind}", f"isNil({name}Copy == nil)")


def generic(body: Body) -> None:
    kind = body.shared.element()
    made, result = body.choices.one_of(
        (
            (f"pointerTo[{kind}]({value(kind)})", f"*{kind}"),
            (f"sliceOf[{kind}](n)", f"[]{kind}"),
            (f"boxed[{kind}]({value(kind)})", "any"),
            (f"listOf[{kind}]({value(kind)})", f"[]{kind}"),
        )
    )
    name = body.name("g")
    body.allocating(f"{name} := {made}")
    size = f"len({name})" if result.startswith("[]") else f"isNil({name} == nil)"
    body.keep(name, result, size)


def inlined(body: Body) -> None:
    made, result, use = body.choices.one_of(
        (
            ("inlineNew(n)", "*int", "*"),
            ("inlineSlice(n)", "[]int", "len"),
            ("inlineSlice(5)", "[]int", "len"),
            ("inlineConcat(s, long)", "string", "len"),
            ("inlineBox(n*1000)", "any", "nil"),
            ("inlineTwice(n)", "*int", "*"),
            ("inlineAppend(globals, n)", "[]int", "len"),
            ("inlineClosure(n)", "func() int", "()"),
            ("inlineBytes(s)", "[]byte", "len"),
            ("inlineSlice(0)", "[]int", "len"),
        )
    )
    name = body.name("g")
    body.allocating(f"{name} := {made}")
    uses = {
        "*": f"*{name}",
        "len": f"len({name})",
        "nil": f"isNil({name} == nil)",
        "()": f"{name}()",
    }
    body.keep(name, result, uses[use])


def recovered(body: Body) -> None:
    with body.block("func()", "}()"):
        body.allocating("defer func() { _ = recover() }()")
        body.allocating(
            body.choices.one_of(
                (
                    'panic("p")',
                    "panic(n * 1000)",
                    "panic(os.ErrExist)",
                    "acc += globals[n+1000]",
                    "panic(fmt.Sprint(n))",
                )
            )
        )


def call(body: Body) -> None:
    """Of another function of the program, with arguments that are constant or not."""
    costs = {n: c for n, c in body.shared.costs.items() if c * body.times < _MOST_DONE}
    if not costs:
        return
    name = body.choices.one_of(tuple(costs))
    arguments = body.choices.one_of(
        ("n, s, b", '3, "abc", b', "n/2, long, b[:len(b)/2]", '0, "", nil')
    )
    body.allocating(f"acc += {name}({arguments})")
    body.cost += costs[name] * body.times


def pool(body: Body) -> None:
    if body.shared.race:  # it then drops what it is given, at random
        return
    name = body.name("x")
    body.allocating(f"{name} := pool.Get().(*[64]int)")
    body(f"{name}[0] = n")
    body.allocating(f"pool.Put({name})")


def assertion(body: Body) -> None:
    name, kind = body.name("x"), body.choices.one_of(("receiver", "*receiver", "int", "string"))
    value_ = {"receiver": "receiver{n}", "*receiver": "&receiver{n}", "int": "n", "string": "s"}
    body.allocating(f"var {name} any = {value_[kind]}")
    body.allocating(
        body.choices.one_of(
            (
                f"if v, ok := {name}.(valuer); ok {{ acc += v.value() }}",
                f"switch v := {name}.(type) {{ case int: acc += v; case valuer: "
                "acc += v.value() }",
                f"if v, ok := {name}.({kind}); ok {{ held = v }}",
            )
        )
    )
    body.shared.sink("any")


def over_map(body: Body) -> None:
    name = body.name("m")
    body.allocating(f"{name} := map[string]int{{s: n, long: 1}}")
    with body.block(f"for k, v := range {name}"):
        body.allocating("acc += len(k + long) + v")
    if body.choices.chance(50):
        body.allocating(f"clear({name})")


def copies(body: Body) -> None:
    name = body.name("s")
    made, kind = body.choices.one_of(
        (
            ("slices.Clone(globals)", "[]int"),
            ("bytes.Clone(b)", "[]byte"),
            ("strings.Clone(s)", "string"),
            ("maps.Clone(index)", "map[string]int"),
            ("slices.Insert(slices.Clone(globals), 1, n)", "[]int"),
            ("append([]int{n}, globals...)", "[]int"),
            ("append(globals[:1:1], n)", "[]int"),
        )
    )
    body.allocating(f"{name} := {made}")
    body.keep(name, kind, f"len({name})")


def nested_slices(body: Body) -> None:
    name = body.name("s")
    body.allocating(f"{name} := make([][]byte, {body.choices.one_of(('n', '3'))})")
    with body.block(f"for i := range {name}"):
        body.allocating(f"{name}[i] = make([]byte, {body.choices.one_of(('i', '40', 'n'))})")
    body.keep(name, "[][]byte", f"len({name})")


def interfaces(body: Body) -> None:
    """Calls through an interface, of a method of a value that is boxed."""
    name = body.name("v")
    body.allocating(
        f"var {name} valuer = {body.choices.one_of(('receiver{n}', '&receiver{n}', 'number(n)'))}"
    )
    body.allocating(f"acc += {body.choices.one_of((f'{name}.value()', f'through({name})'))}")


def generic_type(body: Body) -> None:
    kind = body.choices.one_of(("int", "string", "receiver", "*int"))
    name = body.name("l")
    body.allocating(f"{name} := &list[{kind}]{{}}")
    with body.repeated(body.name("i"), ("3", "1", "n")):
        body.allocating(f"{name}.push({value(kind) if kind != 'receiver' else 'receiver{n}'})")
    body.keep(name, f"*list[{kind}]", f"len({name}.items)")


def recursive(body: Body) -> None:
    if body.times > LARGEST:
        return
    body.allocating(body.choices.one_of(("acc += fill(n)", "acc += chain(n).value")))


def from_library(body: Body) -> None:
    """Functions of another package of the same program, inlined or not."""
    name = body.name("q")
    made, kind = body.choices.one_of(
        (
            ("lib.New(n)", "*int"),
            ("lib.Bytes(n)", "[]byte"),
            ("lib.Join(s, long)", "string"),
            ("lib.Point(n)", "*lib.Pair"),
            ("lib.Fill(n)", "[]int"),
            ("lib.Any(n)", "any"),
        )
    )
    body.allocating(f"{name} := {made}")
    use = f"isNil({name} == nil)" if kind[0] == "*" or kind == "any" else f"len({name})"
    body.keep(name, kind, use)


def runtime_call(body: Body) -> None:
    body.allocating(
        body.choices.one_of(
            (
                "{ _, _, at, _ := runtime.Caller(0); acc += at }",
                "acc += runtime.NumGoroutine()",
                "runtime.Gosched()",
                "acc += len(runtime.Version())",
            )
        )
    )


SIMPLE: tuple[tuple[int, Statement], ...] = (
    (3, new), (2, moved), (3, make_slice), (2, slice_literal), (3, append_loop),
    (2, append_slice), (2, concatenation), (3, conversion), (2, temporary_string), (3, boxing),
    (3, closure), (2, method_value), (3, variadic), (2, library), (1, go_statement), (2, defers),
    (3, map_inserts), (2, map_literal), (1, channel), (1, copy_struct), (3, generic),
    (4, inlined), (1, recovered), (4, call), (1, pool),
    (2, assertion), (1, over_map), (2, copies), (1, nested_slices), (2, interfaces),
    (2, generic_type), (2, recursive), (2, from_library), (1, runtime_call),
)  # fmt: skip
_MOST_DONE = 4000
