// Variables that the compiler moves to the heap: shown there, and said to have moved.
package main

type point struct{ X, Y int }

var (
	keepInt   *int
	keepStr   *string
	keepPoint *point
	keepArr   *[100]int
	keepFunc  func() int
)

func leak() *int {
	inside := 7
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at inside", &inside)
	return &inside // stop
	// want: inside live heap moved value=7 printed=inside object_size=16 noscan=true
}

func param(n int, s string) {
	keepInt, keepStr = &n, &s
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at n", &n)
	println("at s", &s) // stop
	// want: n live heap moved value=40 printed=n
	// want: s live heap moved value=arg printed=s data=rodata object_size=16 noscan=false
}

func result() (out point) {
	keepPoint = &out
	out.X = 11
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at out", &out)
	return out // stop
	// want: out live heap moved value="{X:11 Y:0}" printed=out
}

func main() {
	stay := 1
	x := 5 // stop
	// want: x not_yet
	// want: stay live goroutine_stack not_moved value=1
	keepInt = &x
	s := "Hello, Go!"
	keepStr = &s
	p := point{1, 2}
	keepPoint = &p
	big := [100]int{99: 99}
	keepArr = &big
	counted := 10
	keepFunc = func() int { counted++; return counted }
	byValue := 20
	other := func() int { return byValue }
	keepFunc()
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at x", &x)
	println("at s2", &s)
	println("at p", &p)
	println("at big", &big)
	println("at counted", &counted)
	println("stop") // stop
	// want: x live heap moved value=5 printed=x size=8 allocated=true object_size=16 type=int
	// want: s live heap moved value=`Hello, Go!` printed=s2 data=rodata type=string
	// want: p live heap moved value="{X:1 Y:2}" printed=p object_size=16 noscan=true
	// want: p.Y value=2
	// want: big live heap moved printed=big size=800 object_size=896
	// want: counted live heap moved value=11 printed=counted
	// want: byValue live goroutine_stack not_moved value=20
	// want: stay not_moved value=1
	*leak() = 8
	param(40, "arg")
	result()
	_, _ = stay, other
}
