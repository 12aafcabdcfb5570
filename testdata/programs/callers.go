// The caller's `x := f()` while inside f: x is not there yet; the callers' other locals are.
package main

func inner(depth int) int {
	local := depth * 10
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at local", &local)
	return local + 1 // stop
	// want: @stop frames=main.inner,main.middle,main.outer,main.main
	// want: local frame=main.inner live value=30 printed=local
	// want: depth frame=main.inner live value=3
	// want: ready frame=main.middle live value=ready data=rodata
	// want: got frame=main.middle not_yet
	// want: after frame=main.middle not_yet
	// want: list frame=main.outer live value="[1 2]"
	// want: value frame=main.outer not_yet
	// want: msg frame=main.main live value=top
	// want: result frame=main.main not_yet
	// want: again frame=main.main live value=2
}

func middle(n int) int {
	ready := "ready"
	got := inner(n)
	after := got + len(ready)
	return after // stop
	// want: got live value=31
	// want: after live value=36
}

func outer(list []int) int {
	value := middle(len(list) + 1)
	return value
}

func main() {
	msg := "top"
	again := 1
	again = again + 1
	result := outer([]int{1, 2})
	again = outer2(again)
	println(result, msg, again) // stop
	// want: result value=36
	// want: again value=4
}

func outer2(n int) int {
	return n * 2 // stop
	// want: again frame=main.main live value=2
	// want: result frame=main.main live value=36
}
