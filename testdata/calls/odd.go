// Signatures of every shape: what each call takes and gives stands in test_calls.py.
package main

import (
	"errors"
	"fmt"
)

type big struct{ A, B, C, D, E, F, G, H, I, J, K, L int }
type word int
type pair struct {
	S string
	W word
}

var keep *int

//go:noinline
func f1(_ int, s string, _ float64, n int) (_ int, err error) { return n + len(s), errors.New(s) }

//go:noinline
func f2(int, string) int { return 7 }

//go:noinline
func f3(n int, s string) (r int, err error) { keep = &n; r = n; p := &r; *p += len(s); defer func() { r++; err = errors.New("late") }(); return }

//go:noinline
func f4(b big, x int, y ...string) big { b.L = x + len(y); return b }

//go:noinline
func f5(c complex128, a [1]int, a2 [3]int, f func(int) int, ch chan int, m map[string]int) (complex64, [2]string) {
	return complex64(c), [2]string{"p", "q"}
}

//go:noinline
func f6(p pair, q *pair, i interface{}, e error, b bool, u8 uint8, i16 int16, r rune) (pair, bool) { return p, b }

//go:noinline
func (p pair) val(n int) string { return p.S }

//go:noinline
func f7(a, b, c, d, e, f, g, h, i, j float32, k float64, l int32) (float32, float64, int32) { return a + j, k, l }

//go:noinline
func f8(s []pair, t []byte, st struct{}, e [0]int, u uintptr) ([]byte, struct{}, int) { return t, st, len(s) }

//go:noinline
func f9[T any, U comparable](_ T, x U, xs ...T) (U, map[U]T) { m := map[U]T{}; for _, y := range xs { m[x] = y }; return x, m }

//go:noinline
func g1(_ int, n int) int { return 3 }

//go:noinline
func g2(a int, _ string, b int) int { return 3 }

//go:noinline
func g3(_ int, s string, t string, k int) int { return len(t) }

//go:noinline
func g4(_, a uint8, b uint8, _ uint8) uint8 { return 1 }

//go:noinline
func g5[T any](_ T, a, b T) int { return 1 }

//go:noinline
func g6(a, b int) (x, _ int) { return b, 5 }

func main() {
	f1(1, "ab", 2.5, 40)
	f2(1, "x")
	f3(10, "abc")
	f4(big{A: 1, L: 2}, 5, "u", "v")
	f5(complex(1, 2), [1]int{9}, [3]int{1, 2, 3}, func(i int) int { return i }, make(chan int, 3), map[string]int{"k": 1})
	f6(pair{"s", 4}, nil, 42, nil, true, 200, -5, 'x')
	fmt.Println(pair{"vv", 1}.val(3))
	f7(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2.25, -3)
	f8([]pair{{"a", 1}}, []byte("hey"), struct{}{}, [0]int{}, 5)
	f9("t", 5, "a", "b")
	f9[int, string](1, "key", 2)
	f9(pair{"z", 1}, word(3), pair{"y", 2})
	g1(1, 2)
	g2(1, "s", 2)
	g3(1, "s", "tt", 4)
	g4(1, 2, 3, 4)
	g5(1, 2, 3)
	g5("a", "b", "c")
	g6(3, 4)
}
