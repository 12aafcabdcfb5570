// Package initialisation: variables in order of what they need, then the init functions.
package main

var (
	third  = second + 1
	second = first() + 1
	order  []string
)

func first() int {
	seen := len(order)
	return seen + 1 // stop
	// want: @stop function=main.first goroutine=main
	// want: seen live value=0
}

func init() {
	one := "one"
	order = append(order, one)
	println(one) // stop
	// want: @stop function=main.init.0
	// want: one value=one
}

func init() {
	two := "two"
	order = append(order, two) // stop
	// want: @stop function=main.init.1
	// want: two value=two
}

func main() {
	got, all := third, order
	println(got) // stop
	// want: got value=3
	// want: all value=`["one" "two"]` len=2
	_ = all
}
