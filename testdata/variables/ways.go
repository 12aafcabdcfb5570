// Lines to which several ways lead, so that the optimiser lays their code down in several places.
// Each counts how often it is passed: that is how often a breakpoint there has to stop.
package main

import "fmt"

var passed [9]int

//go:noinline
func pass(line int) int {
	passed[line]++
	return line
}

//go:noinline
func see(n int) int { return n }

func inlined(n int) int {
	return pass(0) + n*3
}

//go:noinline
func twice(n int) int { return inlined(n) + see(inlined(n+1)) }

//go:noinline
func joined(n int, s string) int {
	size := 1
	if n&1 == 0 {
		size = len(s)
	}
	if n > 2 {
		size = 4
	}
	return see(size) + n + pass(1)
}

//go:noinline
func jumped(n int) int {
	x := 0
	switch n {
	case 0:
		goto end
	case 1, 5:
		x = see(1)
	case 2:
		x = 4
		goto end
	default:
		x = see(n)
	}
	x++
end:
	return see(x) + pass(2)
}

//go:noinline
func looped(xs []int) int {
	sum := 0
	for _, x := range xs {
		if x == 3 {
			continue
		}
		for y := x; y > 0 && see(y) != 9; y -= 2 {
			sum += see(y) ^ x + pass(3)
		}
		sum ^= x + pass(4)
	}
	return sum
}

func each[T any](x T, xs ...T) int {
	return len(append(xs, x)) + pass(5)
}

//go:noinline
func conditions(a, b, c int) bool {
	return pass(6) > 0 && (a < b && see(b) < c || see(c) < a && b != see(4) || a == c)
}

//go:noinline
func inPlace() {
	for n := 0; n < 3; n++ {
		first := func() int { return n | 1 }
		_ = first
		f := func(a [4]int) *int {
			pass(8)
			return new(int)
		}
		a := f([4]int{n})
		_ = a
		b := f([4]int{7}) // what moves n on is behind it, and has no line
		_ = b
	}
}

//go:noinline
func isPositive(n int) bool { return n > 0 }

//go:noinline
func drained(n int) (err error) {
	if !isPositive(see(n) + 1) {
		return fmt.Errorf("%d is less than nothing", n)
	}
	for n != 0 { // comes here once more than into its body: pass(7)
		passed[7]++
		n--
		if n == 1 {
			err = fmt.Errorf("nearly nothing")
			continue
		}
		see(n)
	}
	passed[7]++
	return err
}

func main() {
	total := 0
	if drained(7) == nil || drained(-1) == nil {
		total++
	}
	for n := 0; n < 7; n++ {
		total += twice(n) + joined(n, "text") + jumped(n)
		if conditions(n, 7-n, 3) {
			total++
		}
	}
	inPlace()
	total += looped([]int{4, 3, 9, 1, 5}) + looped(nil) + each(1) + each("a", "b") + each(2, 3)
	fmt.Println(total)
	fmt.Println(passed)
}
