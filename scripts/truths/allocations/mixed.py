"""More statements: several allocations in one expression, on one line, or over several lines; what
other packages inline; and the collector in between."""

from __future__ import annotations

from scripts.truths.allocations.statements import Statement
from scripts.truths.allocations.writing import LARGEST, Body, value

_OFTEN = 10


def collection(body: Body) -> None:
    """What was made before is gone, blocks of the tiny allocator and pools among it."""
    if body.times <= _OFTEN:
        body(body.choices.one_of(("runtime.GC()", "debug.FreeOSMemory()")))


def one_line(body: Body) -> None:
    """Several allocations whose call is told by order only."""
    first, second, third = (body.name("p") for _ in range(3))
    kinds = [body.choices.one_of(("int", "[3]int", "string", "receiver")) for _ in range(2)]
    body.allocating(
        body.choices.one_of(
            (
                f"{first}, {second}, {third} := new({kinds[0]}), make([]byte, n), s + long",
                f"{first}, {second}, {third} := &receiver{{n}}, new({kinds[1]}), []int{{n, 2}}",
                f"{first}, {second}, {third} := any(n*1000), any(s), string(b)",
                f"{first} := new({kinds[0]}); {second} := new({kinds[1]}); {third} := new(int)",
                f"{first}, {second}, {third} := []*int{{new(int), &global}}, map[int]int{{}}, &n",
            )
        )
    )
    for name in (first, second, third):
        if body.choices.chance(60):
            body(f"{body.shared.sink('any')} = {name}")
        else:
            body(f"_ = {name}")


def several_lines(body: Body) -> None:
    """The arguments of a call, the parts of a literal, the operands of a sum on lines each."""
    name = body.name("x")
    parts = [
        body.choices.one_of(
            (
                "n*1000",
                "s + long",
                "&receiver{n}",
                "[]int{n, 2}",
                "string(b)",
                "receiver{n}",
                "func() int { return n }",
                "new(int)",
                "7",
                "s",
                "[]byte(s)",
                "fmt.Sprint(n)",
            )
        )
        for _ in range(body.choices.between(1, 4))
    ]
    head, tail, kind = body.choices.one_of(
        (
            ("acc += count(", ")", ""),
            ("acc += keepAll(", ")", ""),
            (f"{name} := []any{{", "}", "[]any"),
            (f"{name} := &[4]any{{", "}", "*[4]any"),
            (f"{name} := listOf[any](", ")", "[]any"),
        )
    )
    body.allocating(head)
    for part in parts:
        body(f"\t{part},")
    body(tail)
    if kind:
        body.keep(name, kind, f"len({name})")


def long_sum(body: Body) -> None:
    name = body.name("t")
    body.allocating(f"{name} := s +")
    for _ in range(body.choices.between(0, 3)):
        body("\t" + body.choices.one_of(("long +", "string(b) +", "inlineConcat(s, s) +")))
    body("\tempty")
    body.keep(name, "string", f"len({name})")


def tree(body: Body) -> None:
    """Literals in literals."""
    name = body.name("l")
    body.allocating(f"{name} := &link{{n, &link{{2, &link{{next: nil}}}}}}")
    body.keep(name, "*link", f"{name}.next.value")


def builder(body: Body) -> None:
    kind, name = body.choices.one_of(("strings.Builder", "bytes.Buffer")), body.name("w")
    body.allocating(f"var {name} {kind}")
    if body.choices.chance(40):
        body.allocating(f"{name}.Grow({body.choices.one_of(('n', '10', '100'))})")
    with body.repeated(body.name("i"), ("3", "1", "n", "0")):
        body.allocating(
            body.choices.one_of(
                (
                    f"{name}.WriteByte('x')",
                    f"{name}.WriteString(s)",
                    f"{name}.WriteRune('ü')",
                    f"{name}.Write(b)",
                    f'fmt.Fprintf(&{name}, "%d", n)',
                )
            )
        )
    body.allocating(f"acc += len({name}.String())")


def appends(body: Body) -> None:
    """Within capacity and beyond, of what was made with make, and in one another."""
    name = body.name("s")
    room = body.choices.one_of(("4", "0", "n", "100"))
    body.allocating(f"{name} := make([]int, 0, {room})")
    body.allocating(
        body.choices.one_of(
            (
                f"{name} = append({name}, n)",
                f"{name} = append(append({name}, 1, 2), n)",
                f"{name} = append({name}, make([]int, n)...)",
                f"{name} = append({name}, globals...)",
                f"{name} = append({name}[:0], {name}...)",
                f"{name} = slices.Grow({name}, n)",
                f"{name} = slices.Insert({name}, 0, n, 2)",
                f"{name} = inlineAppend({name}, n)",
                f"{name} = append({name}[:len({name}):len({name})], n)",
                f"{name} = slices.DeleteFunc({name}, func(i int) bool {{ return i > n }})",
            )
        )
    )
    body.keep(name, "[]int", f"len({name})")


def bytes_as_keys(body: Body) -> None:
    """Conversions that some uses do without."""
    name = body.name("m")
    body.allocating(f"{name} := map[string][]int{{}}")
    with body.repeated(index := body.name("i"), ("3", "1", "n")):
        body.allocating(
            body.choices.one_of(
                (
                    f"{name}[string(b)] = append({name}[string(b)], {index})",
                    f"{name}[string(b[:{index}%(len(b)+1)])] = nil",
                    f"if _, ok := {name}[string(b)]; !ok {{ {name}[s] = []int{{{index}}} }}",
                    f"acc += len({name}[string(b)+s])",
                    f"delete({name}, string(b))",
                    f"{name}[fmt.Sprint({index})] = globals",
                    "acc += isNil(strings.Contains(string(b), s))",
                    'acc += isNil(string(b) + "x" == s)',
                    "acc += len([]byte(string(b)))",
                    "acc += copy(b, s + long)",
                )
            )
        )
    body.keep(name, "map[string][]int", f"len({name})")


def maps_of_maps(body: Body) -> None:
    name = body.name("m")
    body.allocating(f"{name} := map[int]map[string]*int{{}}")
    with body.repeated(index := body.name("i"), ("3", "1", "n")):
        body.allocating(
            f"if {name}[{index}%3] == nil {{ {name}[{index}%3] = "
            f"make(map[string]*int{body.choices.one_of(('', ', n'))}) }}"
        )
        body.allocating(f"{name}[{index}%3][long[:{index}%9]] = &{index}")
    body.keep(name, "map[int]map[string]*int", f"len({name})")


def counting(body: Body) -> None:
    key, name = body.choices.one_of(("int", "string", "[200]byte", "any")), body.name("m")
    body.allocating(f"{name} := map[{key}]int{{}}")
    with body.repeated(index := body.name("i"), ("3", "n", "n*20", "40")):
        of = {
            "int": f"{index}%9",
            "string": f"long[:{index}%20]",
            "[200]byte": f"[200]byte{{byte({index})}}",
            "any": index,
        }[key]
        body.allocating(f"{name}[{of}]++")
    body.keep(name, f"map[{key}]int", f"len({name})")


def bound(body: Body) -> None:
    """Methods as values: of interfaces, promoted, of expressions."""
    name, holder = body.name("f"), body.name("v")
    body.allocating(
        body.choices.one_of(
            (
                f"var {holder} valuer = &receiver{{n}}",
                f"{holder} := struct{{ *receiver }}{{&receiver{{n}}}}",
                f"{holder} := &struct{{ receiver; a int }}{{receiver{{n}}, 2}}",
            )
        )
    )
    body.allocating(f"{name} := {holder}.value")
    body.keep(name, "func() int", f"{name}()")


def closures(body: Body) -> None:
    """In loops, in one another, recursive, of large variables, of variadic ones."""
    name = body.name("f")
    body.allocating(
        body.choices.one_of(
            (
                f"{name} := func() func() int {{ return func() int {{ return n + len(s) }} }}()",
                f"var {name} func() int; {name} = func() int {{ if n < 0 {{ return {name}() }}; "
                "return n }",
                f"{name} := func(k [40]int) func() int {{ return func() int {{ return k[n%40] }} }}"
                "([40]int{n})",
                f"{name} := func(k ...int) func() int {{ return func() int {{ return len(k) }} }}"
                "(n, 2)",
            )
        )
    )
    body.keep(name, "func() int", f"{name}()")


def closures_of_a_loop(body: Body) -> None:
    name = body.name("f")
    body.allocating(f"var {name} []func() int")
    with body.repeated(index := body.name("i"), ("3", "1", "n")):
        body.allocating(f"{name} = append({name}, func() int {{ return {index} }})")
        if body.choices.chance(30):
            body.allocating(f"{body.shared.sink('any')} = &{index}")
    body.keep(name, "[]func() int", f"len({name})")


def results(body: Body) -> None:
    """Parameters and named results that are moved."""
    name = body.name("r")
    made, kind = body.choices.one_of(
        (
            ("func() (r *int) { k := n; return &k }()", "*int"),
            ("func(k [5]int) *[5]int { return &k }([5]int{n})", "*[5]int"),
            ("func() (k int, p *int) { p = &k; return n, p }", "func() (int, *int)"),
            ("func(k any) *any { return &k }(n * 1000)", "*any"),
        )
    )
    body.allocating(f"{name} := {made}")
    body.keep(name, kind, f"isNil({name} == nil)")


def direct(body: Body) -> None:
    """What becomes an interface: itself a pointer, wrapped in structs, in arrays, an error."""
    name = body.name("x")
    made = body.choices.one_of(
        (
            "any(&global)",
            "any(struct{ p *int }{&n})",
            "any([1]*int{&global})",
            "any(bytesOf)",
            "any(error(failure(n)))",
            "any(error(&failures{n, s}))",
            "any(index)",
            "any(sum)",
            "any(struct{}{})",
            "any([0]int{})",
            "any(struct{ a, b byte }{1, byte(n)})",
            "any(func() int { return n })",
            "any(int8(n))",
            "any(n > 2)",
            "any(globalString)",
            "any(boxed[receiver](receiver{n}))",
            "any(any(n * 1000))",
            "any([2]any{n, s})",
        )
    )
    body.allocating(f"{name} := {made}")
    if body.choices.chance(30):
        body.allocating(f"acc += isNil({name} == any(n))")
    body.keep(name, "any", f"isNil({name} == nil)")


def failing(body: Body) -> None:
    name = body.name("err")
    body.allocating(
        f"{name} := "
        + body.choices.one_of(
            (
                "mayFail(n)",
                "mayFail(n % 2)",
                "wrapped(mayFail(n))",
                "errors.Join(mayFail(n), nil)",
            )
        )
    )
    body.keep(name, "error", f"isNil({name} == nil)")


def large(body: Body) -> None:
    """Beyond what a frame takes: of variables, of literals, of what new and make are given."""
    if body.times > 1:
        return
    name = body.name("x")
    made, kind = body.choices.one_of(
        (
            ("new([9000]int)", "*[9000]int"),
            ("&[70000]byte{1}", "*[70000]byte"),
            ("make([]byte, 65536)", "[]byte"),
            ("make([]byte, 65537)", "[]byte"),
            ("[9000]int{n}", "[9000]int"),
            ("[20000]int{n}", "[20000]int"),
        )
    )
    body.allocating(f"{name} := {made}")
    body.allocating(f"{name}[n] = 3")
    if not kind.startswith("[9000") and not kind.startswith("[20000"):
        body.keep(name, kind, f"int({name}[n+1])")
    else:
        body(f"acc += {name}[acc&7]")


def shared_state(body: Body) -> None:
    """Of sync and sync/atomic, parts of which are inlined."""
    name = body.name("x")
    made, used = body.choices.one_of(
        (
            ("var {} atomic.Pointer[receiver]", "{}.Store(&receiver{{n}})"),
            ("var {} atomic.Value", "{}.Store(n * 1000)"),
            ("var {} sync.Map", "{}.Store(n, s)"),
            ("var {} sync.Once", "{}.Do(func() {{ held = &n }})"),
            ("{} := sync.OnceValue(func() int {{ return n }})", "acc += {}()"),
            ("{} := sync.NewCond(&sync.Mutex{{}})", "{}.Signal()"),
            ("{} := func() *sync.Mutex {{ return new(sync.Mutex) }}()", "{}.Lock()"),
        )
    )
    body.allocating(made.format(name))
    body.allocating(used.format(name))


def sequences(body: Body) -> None:
    """Iterators of the library, most of whose closures are inlined away."""
    if body.shared.release < (1, 23) or body.times > LARGEST:
        return
    name = body.name("q")
    made, kind = body.choices.one_of(
        (
            ("slices.Collect(maps.Keys(index))", "[]string"),
            ("slices.Collect(slices.Values(globals))", "[]int"),
            ("slices.Sorted(maps.Values(index))", "[]int"),
            ("slices.Collect(upTo(n))", "[]int"),
            ("maps.Collect(slices.All(globals))", "map[int]int"),
            ("slices.Collect(slices.Chunk(globals, 2))", "[][]int"),
        )
    )
    body.allocating(f"{name} := {made}")
    body.keep(name, kind, f"len({name})")


def mapping(body: Body) -> None:
    """Generic functions that call closures."""
    name = body.name("q")
    made, kind = body.choices.one_of(
        (
            ("mapped(globals, func(i int) string { return s[:i%(len(s)+1)] })", "[]string"),
            ("mapped(globals, func(i int) *int { i += n; return &i })", "[]*int"),
            ("mapped([]string{s, long}, func(t string) any { return t })", "[]any"),
            ("mapped(b, func(c byte) [2]byte { return [2]byte{c, c} })", "[][2]byte"),
            ("pairOf(n, s)", "*pair[int, string]"),
            ("pairOf(any(n), b)", "*pair[any, []byte]"),
        )
    )
    body.allocating(f"{name} := {made}")
    use = f"isNil({name} == nil)" if kind[0] == "*" else f"len({name})"
    body.keep(name, kind, use)


def waits(body: Body) -> None:
    """Goroutines that wait for one another: in select, for a mutex, for time."""
    name, other = body.name("ch"), body.name("ch")
    kind = body.choices.one_of(("int", "string", "[5]*int"))
    body.allocating(f"{name}, {other} := make(chan {kind}), make(chan bool, 1)")
    body.allocating(f"go func() {{ {name} <- {value(kind)}; {other} <- true }}()")
    with body.block("select"):
        body(f"case <-{name}:")
        body.allocating("\tacc++")
        body("case <-time.After(time.Minute):")
        body("\tacc--")
    body.allocating(f"acc += isNil(<-{other})")


def select_statement(body: Body) -> None:
    name = body.name("ch")
    body.allocating(f"{name} := make(chan int, 1)")
    with body.block("select"):
        body(f"case {name} <- n:")
        body.allocating(f"\tacc += len({name})")
        body(f"case v := <-{name}:")
        body("\tacc += v")
        if body.choices.chance(50):
            body("default:")


def exchange(body: Body) -> None:
    """Values that go over a channel without room: who comes first waits."""
    name = body.name("ch")
    body.allocating(f"{name} := make(chan int)")
    body.allocating(f"go func() {{ {name} <- 1; {name} <- 2 }}()")
    body.allocating(f"acc += <-{name}")
    body.allocating(f"acc += <-{name}")


MIXED: tuple[tuple[int, Statement], ...] = (
    (2, one_line), (2, several_lines), (1, long_sum), (1, tree), (2, builder), (2, appends),
    (2, bytes_as_keys), (1, maps_of_maps), (1, counting), (1, bound), (2, closures),
    (1, closures_of_a_loop), (1, results), (2, direct), (1, failing), (1, large),
    (1, shared_state), (1, sequences), (1, mapping), (1, waits), (1, select_statement),
    (1, exchange), (1, collection),
)  # fmt: skip
