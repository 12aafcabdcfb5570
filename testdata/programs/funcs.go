// Function values: plain, nil, closures, method values and expressions, and what they captured.
package main

import "strings"

type counter struct {
	N    int
	Name string
}

func (c *counter) Add(d int) { c.N += d }
func (c counter) Get() int   { return c.N }

type getter interface{ Get() int }

func plain(a int) int { return a + 1 }

func adder(by int) func(int) int {
	return func(a int) int { return a + by }
}

func accumulator() func(int) int {
	total := 100
	return func(a int) int { total += a; return total }
}

func main() {
	var none func()
	f := plain
	upper := strings.ToUpper
	literal := func() {}
	addFive := adder(5)
	sum := accumulator()
	sum(11)
	c := &counter{3, "three"}
	bound := c.Add
	copied := c.Get
	expression := (*counter).Add
	var g getter = c
	viaInterface := g.Get
	println("stop") // stop
	// want: none live goroutine_stack size=8 value=nil no_data type=func()
	// want: f live size=8 value=main.plain type="func(int) int" data=rodata
	// want: upper value=strings.ToUpper
	// want: literal value=main.main.func1 data=rodata
	// want: addFive value=main.main.adder.func2|main.adder.func1 data=heap
	// want@1.24+: addFive.by value=5
	// want: sum value=main.main.accumulator.func3|main.accumulator.func1 data=heap
	// want@1.24+: sum.&total type=*int text=111 data=heap
	// want: bound value=main.(*counter).Add-fm
	// want: copied value=main.counter.Get-fm|main.(*counter).Get-fm
	// want: expression value=main.(*counter).Add
	// want: viaInterface value=main.getter.Get-fm
	// want: g dynamic_type=*main.counter
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _ = none, f, upper, literal, addFive, sum
		_, _, _, _, _ = bound, copied, expression, viaInterface, g
	}()
}
