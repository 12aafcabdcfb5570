"""Statements of which it is known whether they can allocate, and by whose code.

Each is one line of Go in a function that has `n int, s string, b []byte` and sums up in `acc`; `@`
becomes a number of its own. `support.go.txt` has the functions and variables that they use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Makes(Enum):
    """Who allocates when it runs. ROOM: nobody, but its code could. CALLEE: a function that is
    never inlined. HELPER: one that mostly is. LITERAL: a function literal that is handed on. MAYBE:
    it depends on how it is compiled, and with what it runs. PANICS: the runtime, to describe a
    panic that a callee recovers. ONCE: a callee, the first time."""

    NOTHING = "nothing"
    OWN = "own"
    ROOM = "room"
    CALLEE = "callee"
    HELPER = "helper"
    LITERAL = "literal"
    MAYBE = "maybe"
    PANICS = "panics"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """`calls`: it calls a function that is never inlined; `dynamic`: one that only the run knows;
    `asserts`: it looks up the methods of a type."""

    code: str
    makes: Makes = Makes.NOTHING
    calls: bool = False
    dynamic: bool = False
    asserts: bool = False
    since: tuple[int, int] = (1, 21)
    lines: tuple[Any, ...] = ()
    """Those of the function that is called, where the program itself has it."""


_M = Makes
_NOTHING = (
    "acc += n",
    "acc += len(s) + cap(b)",
    "p@ := &pair{n, 1}; acc += p@.a",
    "a@ := [4]int{n, 1, 2, 3}; for _, x := range a@ { acc += x }",
    "x@ := make([]int, 4); x@[n&3] = n; acc += x@[1]",
    "x@ := []string{s, \"x\"}; acc += len(x@)",
    "f@ := func(k int) int { return k + n }; acc += f@(1)",
    "if string(b) == s { acc++ }",
    "for i, c := range []byte(s) { acc += i + int(c) }",
    "for i, c := range s { acc += i + int(c) }",
    "acc += counts[s]",
    "acc += counts[string(b)]",
    "var e@ any = n; if k, ok := e@.(int); ok { acc += k }",
    "switch v := held.(type) { case int: acc += v; case string: acc += len(v) }",
    "sinkAny = true",
    "sinkAny = \"constant\"",
    "sinkAny = &global",
    "sinkErr = errFixed",
    "clear(b)",
    "acc += max(n, 3)",
    "copy(space[:], s)",
    "x@ := space[:0:0]; acc += len(x@)",
    "if n > 1000 { panic(\"too large\") }",
    "if n > 1000 { panic(errFixed) }",
    "acc += table[n&7]",
    "if len(b) > 0 { acc += int(b[len(b)-1]) }",
    "if n > 0 { acc += 100 / n }",
    "atomic.AddInt64(&count, 1)",
    "acc += bits.LeadingZeros64(uint64(n))",
    "acc += strings.Index(s, \"b\")",
    "if strings.HasPrefix(s, \"ab\") { acc++ }",
    "if bytes.Equal(b, space[:2]) { acc++ }",
    "acc += int(utf8.RuneLen(rune(n)))",
    "acc += int(math.Sqrt(float64(n)))",
    "acc += int(binary.LittleEndian.Uint32(space[:]))",
    "var a@ struct{ a, b int }; c@ := a@; acc += c@.b",
    "defer release()",
    "defer func() { acc++ }()",
    "var z@ struct{}; sinkAny = z@",
    "var x@ [3]any; acc += len(x@)",
    "g@ := T{n}; acc += g@.Value(); acc += (&g@).Pointer()",
    "m@ := T.Value; acc += m@(T{n})",
    "for i := 0; i < 3; i++ { q@ := &i; acc += *q@ }",
    "acc += min(n, 4, len(s))",
    "clear(space[:2])",
    "switch string(b) { case \"ab\": acc++; case \"de\": acc += 2 }",
    "if string(b) < s { acc++ }",
    "for range []byte(s) { acc++ }",
    "acc += len(ready) + cap(ready)",
    "if held == any(3) { acc++ }",
    "runtime.KeepAlive(&global)",
    "if keys[n&1] == (key{s, n}) { acc++ }",
    "g@ := At.Pointer; acc += g@()",
    "pass()",
)  # fmt: skip
_OWN = (
    "sinkInt = new(int)",
    "sinkPair = &pair{n, 2}",
    "sinkInts = make([]int, 3)",
    "sinkBytes = make([]byte, n+1)",
    "sinkString = s + \"x\" + strconst",
    "sinkAny = n + 1000",
    "sinkAny = pair{n, 1}",
    "sinkAny = s + \"more\"",
    "sinkBytes = []byte(strconst)",
    "sinkString = string(space[:5])",
    "sinkRunes = []rune(strconst)",
    "sinkBytes = append([]byte(nil), strconst...)",
    "sinkFunc = func() int { return n }",
    "sinkMap = make(map[string]int, 100)",
    "sinkMap = map[string]int{strconst: n}",
    "sinkChan = make(chan int, 4)",
    "x@ := n; sinkInt = &x@",
    "sinkInts = append(fullInts, n)",
    "sinkFunc = (&T{n}).Pointer",
    "sinkInts = append([]int{}, 1, 2, 3)",
    "sinkAny = [3]int{n, 1, 2}",
    "sinkAny = float64(n) + 0.5",
    "x@ := [2]any{n + 5000, nil}; sinkAny = x@[0]",
    "_, sinkString, _, _ = runtime.Caller(0)",
    "for _, k := range sorted { if k == 9 { sinkInt = &k } }",
    "sinkMaps = map[key]*pair{{s, n}: nil, {\"\", 1}: nil, {s, 3}: {n, 1}}",
)  # fmt: skip
_ROOM = (
    "roomy = append(roomy[:0], n, n)",
    "r@ := space[:0]; r@ = append(r@, 'x'); acc += len(r@)",
    "counts[\"abc\"] = n",
    "counts[\"abc\"]++",
    "if n > 1000 { sinkInt = new(int) }",
    "if n < 0 { sinkAny = s + \"x\" }",
    "builder.Reset0(); builder.WriteByte('x')",
    "buffered = strconv.AppendInt(buffered[:0], int64(n), 10)",
    "mutex.Lock(); acc++; mutex.Unlock()",
    "once.Do(release)",
    "select { case k := <-ready: acc += k; default: }",
    "sinkAny = small(n)",
    "buffer.Reset(); buffer.WriteString(\"ab\")",
    "select { case full <- n: default: }",
    "buffers <- n; acc += <-buffers",
    "select { case buffers <- n: acc += <-buffers; case k := <-ready: acc += k }",
    "r@ := append(space[:0], s...); acc += len(r@)",
    "wide[key{\"ab\", 1}] = n; delete(wide, key{\"ab\", 1}); wide[key{\"ab\", 1}] = 2",
)  # fmt: skip
_CALLS = (
    Ingredient("delete(counts, \"no such\")", since=(1, 24)),
    Ingredient("clear(scratch)", since=(1, 24)),
    Ingredient("for k, v := range counts { acc += len(k) + v }", since=(1, 24)),
    Ingredient("clear(scratch); for k := range counts { acc += len(k) }", _M.MAYBE),
    Ingredient("acc += quiet(n)", calls=True),
    Ingredient("acc += quietest(n)", calls=True),
    Ingredient("acc += generic(n); acc += len(generic(s))", calls=True),
    Ingredient("defer quiet(n)", calls=True),
    Ingredient("acc += table0.quietMethod(n)", calls=True),
    Ingredient("acc += even(n)", calls=True),
    Ingredient("slices.Sort(sorted[:])", calls=True),
    Ingredient("acc += loud(n)", _M.CALLEE, calls=True),
    Ingredient("acc += louder(n)", _M.CALLEE, calls=True),
    Ingredient("defer loud(n)", _M.CALLEE, calls=True),
    Ingredient("acc += loudGeneric(n)", _M.CALLEE, calls=True),
    Ingredient("acc += table0.loudMethod(n)", _M.CALLEE, calls=True),
    Ingredient("sinkString = fmt.Sprint(n + 1000)", _M.HELPER, calls=True),
    Ingredient("sinkErr = errors.New(s)", _M.HELPER),
    Ingredient("sinkString = strconv.Itoa(n + 1000)", _M.HELPER),
    Ingredient("sinkString = strings.Repeat(\"ab\", 5)", _M.HELPER),
    Ingredient("sinkString = strings.Clone(strconst)", _M.HELPER),
    Ingredient("sinkInts = slices.Clone(sorted[:])", _M.HELPER),
    Ingredient("sinkInt = fresh(n)", _M.HELPER),
    Ingredient("sinkAny = boxed(n + 1000)", _M.HELPER),
    Ingredient("apply(func() { sinkInt = new(int) })", _M.LITERAL, calls=True),
    Ingredient("apply(func() { acc++ })", calls=True),
    Ingredient("defer func() { sinkInt = new(int) }()", _M.LITERAL),
    Ingredient("func() { sinkBytes = make([]byte, 70) }()", _M.LITERAL),
    Ingredient("acc += changing(n)", dynamic=True),
    Ingredient("acc += shape.Area(n)", dynamic=True),
    Ingredient("acc += loudShape.Area(n)", _M.CALLEE, dynamic=True),
    Ingredient("acc += changingLoud(n)", _M.CALLEE, dynamic=True),
    Ingredient("sinkString = errRuntime.Error()", _M.OWN, dynamic=True),
    Ingredient("acc += promoted.Area(n)", dynamic=True),
    Ingredient("acc += loudPromoted.Area(n)", _M.CALLEE, dynamic=True),
    Ingredient("acc += caught(n)", _M.PANICS, calls=True),
    Ingredient("onceLoud.Do(loudInit)", _M.ONCE),
    Ingredient("acc += box[int]{n}.Get(); acc += len(box[string]{s}.Get())"),
    Ingredient("x@ := s + \"ab\"; acc += len(x@)", _M.MAYBE),
    Ingredient("x@ := []byte(s); acc += len(x@)", _M.MAYBE),
    Ingredient("f@ := adder(n); acc += f@(1)", _M.MAYBE),
    Ingredient("q@ := pool.Get().(*pair); acc += q@.a; pool.Put(q@)", _M.MAYBE, calls=True),
    Ingredient("if errors.Is(errFixed, errOther) { acc++ }", _M.MAYBE),
    Ingredient("var w@ strings.Builder; w@.WriteString(strconst); acc += w@.Len()", _M.HELPER),
    Ingredient("acc += len(strings.Split(strconst, \" \"))", _M.HELPER),
    Ingredient("sinkString = strings.ToUpper(strconst)", _M.HELPER),
    Ingredient("sinkInts = slices.Grow(sinkInts[:0:0], 10)", _M.HELPER),
    Ingredient("sinkMap = maps.Clone(counts)", _M.HELPER),
    Ingredient("if _, ok := held.(Shape); ok { acc += len(s) }", _M.ROOM, asserts=True),
    Ingredient("acc += sum(n, 1, 2)", calls=True),
    Ingredient("acc += sum()", calls=True),
    Ingredient("acc += shaped(T{n})", calls=True),
    Ingredient("acc += shaped(tally(n)) + shaped(At)", calls=True),
    Ingredient("acc += shaped(&inner{n})", _M.MAYBE, calls=True),
    Ingredient("acc += loudShaped(tally(n))", _M.CALLEE, calls=True),
    Ingredient("g@ := table0.quietMethod; acc += g@(n)", calls=True),
    Ingredient("g@ := table0.loudMethod; acc += g@(n)", _M.CALLEE, calls=True),
    Ingredient("keepAll(n+1000, s)", _M.OWN, calls=True),
    Ingredient("keepAll(spread...)", calls=True),
    Ingredient("fmt.Fprint(io.Discard, n+1000)", _M.HELPER, calls=True),
    Ingredient("acc += tagged(n)", _M.MAYBE, calls=True),
    Ingredient("sinkFrames = framesOf(pcs[:])", _M.OWN, dynamic=True),
    Ingredient(
        "f@ := runtime.CallersFrames; if n > 1000 { f@ = framesOf }; sinkFrames = f@(pcs[:])",
        _M.OWN,
        dynamic=True,
    ),
    Ingredient(
        "f@ := runtime.CallersFrames; setFrames(&f@, n); sinkFrames = f@(pcs[:])",
        _M.OWN,
        dynamic=True,
    ),
    Ingredient("sinkFrames = applied(runtime.CallersFrames, pcs[:])", _M.CALLEE, calls=True),
    Ingredient("for i := 0; i < n&3+1; i++ { defer release() }", _M.MAYBE),
    Ingredient("m@ := map[int]bool{n: true, 7: false}; acc += len(m@)", _M.MAYBE),
    Ingredient("m@ := make(map[string]int); m@[s] = n; acc += m@[\"abc\"]", _M.MAYBE),
    Ingredient("x@ := string(b) + s; if x@ == \"\" { acc++ }", _M.MAYBE),
    Ingredient("acc += counts[\"x\"+string(b)]", _M.MAYBE),
    Ingredient("for _, x := range slices.All(sorted[:]) { acc += x }", _M.MAYBE, since=(1, 23)),
    Ingredient("for k := range maps.Keys(counts) { acc += len(k) }", _M.MAYBE, since=(1, 23)),
    Ingredient("for i := range upTo(3) { if i > 1 { break }; defer quiet(i) }", _M.MAYBE,
               since=(1, 23)),
    Ingredient("for i := range upTo(3) { for j := range upTo(i) { acc += j } }", since=(1, 23)),
    Ingredient("for i := range upTo(n & 3) { acc += i }", since=(1, 23)),
    Ingredient("for i := range upTo(n&3 + 1) { sinkAny = i + 1000 }", _M.LITERAL, since=(1, 23)),
)  # fmt: skip
ALL: tuple[tuple[int, tuple[Ingredient, ...]], ...] = (
    (6, tuple(map(Ingredient, _NOTHING))),
    (2, tuple(Ingredient(code, _M.OWN) for code in _OWN)),
    (3, tuple(Ingredient(code, _M.ROOM) for code in _ROOM)),
    (4, _CALLS),
)
"""Each with its weight."""
