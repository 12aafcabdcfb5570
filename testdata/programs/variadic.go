// Variadic calls: the callee sees a slice, made on the caller's stack, shared, or nil.
package main

func join(sep string, parts ...any) int {
	n := len(parts)
	return n // stop hits=3
	// want#1: parts live value=nil len=0
	// want#1: n live value=0
	// want#2: parts live len=3 cap=3
	// want#2: parts[0] value=1 dynamic_type=int
	// want#2: parts[1] value=two dynamic_type=string
	// want#2: parts[2] value=nil
	// want#3: parts live len=1
	// want#3: parts[0] value=3.5 dynamic_type=float64
	// want: sep value=,
}

func sum(xs ...int) (total int) {
	for _, x := range xs {
		total += x
	}
	return // stop hits=2
	// want#1: xs value="[1 2]" len=2
	// want#1: total value=3
	// want#2: xs value="[4 5 6]" len=3 data=goroutine_stack
	// want#2: total value=15
}

func main() {
	join(",")
	join(",", 1, "two", nil)
	join(",", []any{3.5}...)
	sum(1, 2)
	all := []int{4, 5, 6}
	println(sum(all...))
}
