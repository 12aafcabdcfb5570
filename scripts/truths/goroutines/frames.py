"""What may stand on a stack between the beginning of a goroutine and where it stands.

Each writes a function that calls the next one, and returns a statement that calls it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.truths.goroutines.text import Text


@dataclass(frozen=True, slots=True)
class Step:
    """`declared` calls NEXT; `call` is the statement that calls it; $ is a number of its own."""

    name: str
    declared: str
    call: str = "f$()"
    imports: tuple[str, ...] = ()
    since: tuple[int, int] = (1, 21)
    cgo: bool = False
    inline: bool = False
    """Whether it may also be written without go:noinline, so that the compiler inlines it."""


STEPS: tuple[Step, ...] = (
    Step("plain", "func f$() { NEXT }", inline=True),
    Step("two calls", "func f$() {\n\tNEXT\n\tsink.Add(1)\n}", inline=True),
    Step(
        "arguments", "func f$(a int, b string, c [3]int, d ...any) {\n\tNEXT\n\tsink.Add(uint64(a + c[1] + len(b) + len(d)))\n}",
        'f$(1, "two", [3]int{3, 4, 5}, 6, "seven")', inline=True,
    ),
    Step("results", "func f$() (n int, err error) {\n\tNEXT\n\treturn 3, nil\n}", "if n, err := f$(); err == nil { sink.Add(uint64(n)) }", inline=True),
    Step("method", "type T$ struct{ a, b int }\n\nfunc (t *T$) M() { NEXT }", "(&T${1, 2}).M()", inline=True),
    Step("value method", "type T$ struct{ a, b int }\n\nfunc (t T$) M() { NEXT }", "T${1, 2}.M()", inline=True),
    Step(
        "interface", "type T$ struct{ a, b int }\n\nfunc (t T$) M() { NEXT }\n\nvar i$ interface{ M() } = &T${1, 2}", "i$.M()",
    ),
    Step(
        "embedded", "type E$ struct{ a int }\n\nfunc (e *E$) M() { NEXT }\n\ntype T$ struct {\n\tx string\n\t*E$\n}\n\nvar i$ interface{ M() } = T${\"x\", new(E$)}",
        "i$.M()",
    ),
    Step("method value", "type T$ struct{ a, b int }\n\nfunc (t *T$) M() { NEXT }\n\nvar v$ = (&T${}).M", "v$()"),
    Step("method expression", "type T$ struct{ a int }\n\nfunc (t *T$) M(n int) { NEXT }\n\nvar v$ = (*T$).M", "v$(new(T$), 1)"),
    Step("closure", "func f$(n int) func() {\n\treturn func() {\n\t\tn++\n\t\tNEXT\n\t}\n}", "f$(4)()", inline=True),
    Step("immediate", "func f$() {\n\tn := 1\n\tfunc() {\n\t\tn++\n\t\tfunc() { NEXT }()\n\t}()\n\tsink.Add(uint64(n))\n}", inline=True),
    Step("variable", "var f$ = func() { NEXT }"),
    Step("generic", "func f$[T any](x ...T) {\n\tNEXT\n\tsink.Add(uint64(len(x)))\n}", "f$[string]()", inline=True),
    Step("generic int", "func f$[T, U any](x T, y U) { NEXT }", "f$(1, struct{ a []int }{})", inline=True),
    Step("generic method", "type G$[T any] struct{ x T }\n\nfunc (g *G$[T]) M() {\n\tfunc() { NEXT }()\n}", "new(G$[map[string]int]).M()"),
    Step("deferred closure", "func f$() {\n\tdefer func() { NEXT }()\n\tsink.Add(1)\n}"),
    Step("deferred", "func f$() {\n\tdefer g$(1, \"x\")\n\tsink.Add(1)\n}\n\nfunc g$(a int, b string) { NEXT }"),
    Step("deferred in loop", "func f$() {\n\tfor i := 0; i < 3; i++ {\n\t\tdefer func() {\n\t\t\tif i > 0 {\n\t\t\t\tNEXT\n\t\t\t}\n\t\t}()\n\t}\n}"),
    Step("panicking", "func f$() {\n\tdefer func() {\n\t\tNEXT\n\t\trecover()\n\t}()\n\tpanic(\"on purpose\")\n}"),
    Step("recovered", "func f$() {\n\tdefer func() {\n\t\trecover()\n\t\tNEXT\n\t}()\n\tpanic(\"on purpose\")\n}"),
    Step("nil", "var nil$ *[8]int\n\nfunc f$() {\n\tdefer func() {\n\t\tNEXT\n\t\trecover()\n\t}()\n\tsink.Add(uint64(nil$[3]))\n}"),
    Step("index", "var at$ = 7\n\nfunc f$() {\n\tdefer func() {\n\t\tNEXT\n\t\trecover()\n\t}()\n\tvar few [3]int\n\tsink.Add(uint64(few[at$]))\n}"),
    Step("divide", "var zero$ int\n\nfunc f$() {\n\tdefer g$()\n\tsink.Add(uint64(3 / zero$))\n}\n\nfunc g$() {\n\tNEXT\n\trecover()\n}"),
    Step("nil method", "type T$ struct{ a int }\n\nfunc (t T$) M() {}\n\nvar i$ interface{ M() } = (*T$)(nil)\n\nfunc f$() {\n\tdefer func() {\n\t\tNEXT\n\t\trecover()\n\t}()\n\ti$.M()\n}"),
    Step("nil function", "var nil$ func()\n\nfunc f$() {\n\tdefer func() {\n\t\tNEXT\n\t\trecover()\n\t}()\n\tnil$()\n}"),
    Step("goexit", "func f$() {\n\tdefer func() { NEXT }()\n\truntime.Goexit()\n}", imports=("runtime",)),
    Step("recursion", "func f$(n int) int {\n\tif n == 0 {\n\t\tNEXT\n\t\treturn 0\n\t}\n\treturn f$(n-1) + 1\n}", "f$(DEPTH)"),
    Step("big frame", "func f$() {\n\tvar big [5000]int\n\tbig[len(noted$)] = 3\n\tNEXT\n\tsink.Add(uint64(big[len(noted$)+1]))\n}\n\nvar noted$ []int"),
    Step("once", "var once$ sync.Once\n\nfunc f$() {\n\tonce$.Do(func() { NEXT })\n}", imports=("sync",)),
    Step("sort", "func f$() {\n\tx := []int{2, 1}\n\tfirst := true\n\tsort.Slice(x, func(i, j int) bool {\n\t\tif first {\n\t\t\tfirst = false\n\t\t\tNEXT\n\t\t}\n\t\treturn x[i] < x[j]\n\t})\n}", imports=("sort",)),
    Step("strings", "func f$() {\n\tstrings.Map(func(r rune) rune {\n\t\tif r == 'b' {\n\t\t\tNEXT\n\t\t}\n\t\treturn r\n\t}, \"abc\")\n}", imports=("strings",)),
    Step("reflect", "func f$(n int, s string) { NEXT }", 'reflect.ValueOf(f$).Call([]reflect.Value{reflect.ValueOf(1), reflect.ValueOf("s")})', imports=("reflect",)),
    Step("reflected method", "type T$ struct{ a int }\n\nfunc (t T$) M(n int) { NEXT }", 'reflect.ValueOf(T${}).MethodByName("M").Interface().(func(int))(3)', imports=("reflect",)),
    Step(
        "made function", "func f$() {\n\tmade := reflect.MakeFunc(reflect.TypeOf(func(int) {}), func(args []reflect.Value) []reflect.Value {\n\t\tNEXT\n\t\treturn nil\n\t})\n\tmade.Interface().(func(int))(3)\n}",
        imports=("reflect",),
    ),
    Step("loops", "func f$() {\n\tfor i := 0; i < 3; i++ {\n\t\tswitch {\n\t\tcase i == 1:\n\t\t\tNEXT\n\t\t}\n\t}\n}"),
    Step("printed", "type P$ struct{ a int }\n\nfunc (p P$) String() string {\n\tNEXT\n\treturn \"p\"\n}", "sink.Add(uint64(len(fmt.Sprint(P${3}))))", imports=("fmt",)),
    Step("range over function", "func seq$(yield func(int) bool) {\n\tfor i := range 3 {\n\t\tif !yield(i) {\n\t\t\treturn\n\t\t}\n\t}\n}\n\nfunc f$() {\n\tfor i := range seq$ {\n\t\tif i == 1 {\n\t\t\tNEXT\n\t\t}\n\t}\n}", since=(1, 23), inline=True),
    Step("deferred in range over function", "func seq$(yield func(int) bool) {\n\tfor i := range 3 {\n\t\tif !yield(i) {\n\t\t\treturn\n\t\t}\n\t}\n}\n\nfunc f$() {\n\tfor i := range seq$ {\n\t\tdefer func() {\n\t\t\tif i == 1 {\n\t\t\t\tNEXT\n\t\t\t}\n\t\t}()\n\t}\n}", since=(1, 23)),
    Step("pulled", "func seq$(yield func(int) bool) {\n\tyield(1)\n\tNEXT\n}\n\nfunc f$() {\n\tnext, stop := iter.Pull(seq$)\n\tdefer stop()\n\tnext()\n\tnext()\n}", imports=("iter",), since=(1, 23)),
)  # fmt: skip
