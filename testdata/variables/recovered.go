package main

//go:noinline
func here(n int) {}

//go:noinline
func may(p bool) {
	if p {
		panic("on purpose")
	}
}

//go:noinline
func fill() int {
	var a [64]int
	for i := range a {
		a[i] = 7777 + i
	}
	return a[13]
}

//go:noinline
func f(p bool) (r int) {
	first := 11
	defer func() { here(first) }()
	defer func() { recover() }()
	may(p)
	x := 42
	text := "assigned"
	list := []int{1, 2}
	here(x)
	println(text, list[0])
	return x
}

func main() {
	fill()
	f(false)
	fill()
	f(true)
	fill()
}
