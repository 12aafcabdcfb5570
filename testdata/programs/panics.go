// Panics that are recovered: stops in deferred functions, with the panicking frames below.
package main

import "fmt"

func risky(n int) (result string) {
	tag := "risky"
	defer func() {
		r := recover()
		result = fmt.Sprint(tag, " ", r) // stop hits=3
		// want#1: r live value=text dynamic_type=string
		// want#2: r live dynamic_type=runtime.boundsError
		// want#3: r live dynamic_type=*main.fault
		// want#3: r.Code value=9
		// want: tag live frame=main.risky.func1 value=risky
	}()
	list := []int{1}
	switch n {
	case 0:
		panic("text")
	case 1:
		list[n+1]++
	case 2:
		panic(&fault{9})
	}
	return "never"
}

type fault struct{ Code int }

func order() (out []int) {
	for i := 0; i < 3; i++ {
		defer func(n int) {
			out = append(out, n) // stop hits=3
			// want#1: n live value=2
			// want#2: n live value=1
			// want#3: n live value=0
			// want#3: out live value="[2 1]"
		}(i)
	}
	return nil
}

func rethrow() (second any) {
	defer func() { second = recover() }()
	defer func() { panic(fmt.Sprint("again ", recover())) }()
	panic("first")
}

func main() {
	a, b, c := risky(0), risky(1), risky(2)
	d := order()
	e := rethrow()
	println("stop") // stop
	// want: a value=`risky text`
	// want: b value~`risky runtime error: index out of range.*`
	// want: c value=`risky &{9}`
	// want: d value="[2 1 0]"
	// want: e value=`again first` dynamic_type=string
	_, _, _, _, _ = a, b, c, d, e
}
