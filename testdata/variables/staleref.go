// A variable that a closure changes, in a goroutine whose stack moves while the closure panics: it
// needs the variable's address no more, and so keeps the old one.
package main

//go:noinline
func deep(n int) int {
	var room [512]int
	room[n&511] = n
	if n > 0 {
		return deep(n-1) + room[n&511]
	}
	return 0
}

func work(x []int) int {
	f := func() (out int) {
		defer func() {
			if r := recover(); r != nil {
				x = append(x, 7)
				out = deep(60)
				println("moved", len(x), out)
			}
		}()
		if len(x) == 0 {
			panic("empty")
		}
		return len(x)
	}
	return f() + len(x)
}

func main() {
	done := make(chan int)
	go func() { done <- work(nil) }()
	println(<-done)
}
