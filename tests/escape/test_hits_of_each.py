"""What stays in the frame is counted for itself, not for all that its line has there."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.model.escape import Verdict
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

LIB = """\
package lib

import "fmt"

func Print(n int) int { return len(fmt.Sprint(n)) }

//go:noinline
func stack(x any) int {
	if v, ok := x.(int); ok {
		return v
	}
	return 0
}

func Take(n int) int { return stack(n) }
"""
# Behind // stands how often each expression of the line that stays in the frame is made, in the
# order of their columns; with ~ where the code cannot tell which is which.
PROGRAM = """\
package main

import (
	"fmt"
	"os"

	"example.com/m/lib"
)

var t int

//go:noinline
func times(n int, f func()) { for ; n > 0; n-- { f() } }

//go:noinline
func each(n int, fs ...func()) { for _, f := range fs { for i := n; i > 0; i-- { f() }; n += 2 } }

//go:noinline
func sum(xs []int) (t int) { for _, x := range xs { t += x }; return }

func own(n int) int { return sum([]int{n, n}) }

func generic[T any](x T) int { return len(fmt.Sprint([]T{x, x})) }

//go:noinline
func literals(n int) {
	times(3, func() { t += lib.Take(n) }); times(5, func() { t += lib.Print(n) })          // 3 5
	times(3, func() { t += lib.Take(n) }); times(5, func() { t += lib.Take(n+1) })         // 3 5
	times(3, func() { t += sum([]int{n, 1}) }); times(5, func() { t += sum([]int{2, n}) }) // 3 5
	t += sum([]int{n}); times(5, func() { t += sum([]int{2, n}) })                         // 1 5
	times(3, func() { t += sum([]int{n, 1}); times(2, func() { t += sum([]int{n, 2}) }) }) // 3 6
	times(3, func() { t += own(n) }); times(5, func() { t += own(n+1) })                   // 3 5
	times(0, func() { t += own(n) }); times(5, func() { t += own(n+1) })                   // 0 5
	each(3,
		func() { t += lib.Take(n) }, func() { t += lib.Print(n) },                         // 3 5
		func() { t += sum([]int{1, 2}) }, func() { t += sum([]int{3, 4}) },                // 7 9
	)
	times(1, func() {
		times(3, func() { t += own(n) }); times(5, func() { t += own(n+1) })               // 3 5
		t += own(n); times(5, func() { t += own(n+1) })                                    // 1 5
	})
	func() { t += sum([]int{n, 1}) }(); times(5, func() { t += sum([]int{n, 2}) })         // ~1 5
}

//go:noinline
func plain(a string, n int) {
	for i := 0; i < 5; i++ { t += len(fmt.Sprint(i)) }; t += len(fmt.Sprint(n))            // ~10 2
	for i := 0; i < 5; i++ { t += sum([]int{i}) }; t += sum([]int{n, 2})                   // ~10 2
	for i := 0; i < 5; i++ { t += own(i) }; t += own(n)                                    // ~10 2
	for i := 0; i < 5; i++ { t += own(i) }; t += sum([]int{n, 2, 3})                       // 10 2
	if n > 0 { t += sum([]int{n, 1}) } else { t += sum([]int{n, 2}) }                      // 1 1
	if n != 0 { t += sum([]int{n, 1}) } else { t += sum([]int{n, 2}) }                     // ~2 0
	if n == 7 { t += sum([]int{n, 3}) } else if a[:1]+a[2:3] == "x" { t++ }  // ~0 2
	t += sum([]int{n}) + sum([]int{n, 2})                                                  // 2 2
	for i := 0; i < 5; i++ { if a[:1]+a[2:3] == "x" { t++ } }; t += sum([]int{n, 2})       // ~10 2
}

func main() {
	n := 1000 + len(os.Args)
	literals(n)
	plain("abcdef", n)
	plain("abcdef", -n)
	t += generic(n) + generic("text")
}
"""
_PASSED_OVER = ("func literal",)


@pytest.mark.parametrize("go", matrix())
def test_each_is_counted_for_itself(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": PROGRAM, "lib/lib.go": LIB})
    report = escape(folder, go=str(toolchain(go)))
    wrong: list[object] = []
    for number, text in enumerate(PROGRAM.splitlines(), 1):
        _, told, wanted = text.partition("// ")
        if not told:
            continue
        sites = [
            site for site in report.sites
            if site.file.endswith("main.go") and (site.line, site.parameter) == (number, False)
            and site.prediction == "stack" and site.expression not in _PASSED_OVER
        ]  # fmt: skip
        sites.sort(key=lambda site: site.col)
        times = [int(word) for word in wanted.removeprefix("~").split()]
        told_as = [(s.expression, s.verdict, s.hits, s.counted) for s in sites]
        sure = not wanted.startswith("~")
        right = len(times) == len(sites) and all(
            (site.hits == made if site.counted else site.hits <= made)
            and (site.counted or not (sure and made))
            and (made > 0 or site.verdict is not Verdict.CONFIRMED_STACK)
            for site, made in zip(sites, times, strict=True)
        )
        if not right:
            wrong.append((text, told_as))
    assert not wrong
