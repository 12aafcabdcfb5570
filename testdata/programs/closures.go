// Inside a closure: what it captured by value and by reference, and where that is.
package main

type box struct{ N int }

func (b *box) each(f func(int)) { f(b.N) }

func main() {
	byRef := 1
	byValue := "kept"
	stays := 5 // captured by reference, yet by nothing that outlives main
	b := &box{3}
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at byRef", &byRef)
	println("at stays", &stays)
	add := func(n int) int {
		local := n * 2
		byRef += local
		stays++
		return byRef + len(byValue) // stop
		// want: @stop function=main.main.func1 frames=main.main.func1,main.main
		// want: n live value=5
		// want: local live value=10
		// want: byRef live frame=main.main.func1 value=11 printed=byRef heap moved
		// want: stays live frame=main.main.func1 value=6 printed=stays goroutine_stack not_moved
		// want: byValue live frame=main.main.func1 value=kept data=rodata
	}
	got := add(5)
	b.each(func(n int) {
		println(byRef) // stop
		// want: @stop function=main.main.func2 frames=main.main.func2,main.(*box).each,main.main
		// want: n live value=3
		// want: byRef live frame=main.main.func2 value=11
		// want: b live frame=main.(*box).each
		// want: b.N value=3
		// want: got frame=main.main live value=15
	})
	var fib func(int) int
	fib = func(n int) int {
		if n < 2 {
			return n // stop hits=5
			// want: @stop function=main.main.func3
			// want: fib live frame=main.main.func3 value=main.main.func3
		}
		return fib(n-1) + fib(n-2)
	}
	fib(got - got + 4)
	outer := 100
	nest := func() func() int {
		mid := 10
		return func() int {
			return outer + mid + byRef // stop
			// want: @stop function=main.main.func4.1|main.main.func4.main.func4.func1|main.main.func4.func1
			// want: outer live value=100
			// want: mid live value=10
			// want: byRef live value=11
		}
	}
	println(nest()())
}
