// Maps and channels.
package main

type key struct{ a, b int }

var (
	kept    map[int]int
	strs    map[string]int
	structs map[key]*int
	total   int
	hint    = 100
	few     = 4
	channel chan int
	signals chan struct{}
	pointer chan *int
)

//go:noinline
func size(m map[int]int) int { return len(m) }

//go:noinline
func small() {
	kept = make(map[int]int) // want: confirmed_heap 1
}

//go:noinline
func smallLocal() int {
	m := make(map[int]int) // want: confirmed_stack 1
	m[1] = 2 // want: confirmed_stack 1
	return size(m)
}

//go:noinline
func grownLocal(n int) int {
	m := make(map[int]int) // want: confirmed_stack 1
	for i := 0; i < n; i++ {
		m[i] = i // want: unpredicted 100
	}
	return size(m)
}

//go:noinline
func hinted(n int) {
	kept = make(map[int]int, n) // want: confirmed_heap 1
}

//go:noinline
func hintedLocal(n int) int {
	m := make(map[int]int, n) // want: confirmed_stack 1
	m[1] = n // want: confirmed_stack 1
	return size(m)
}

//go:noinline
func hintedConstant() {
	kept = make(map[int]int, 100) // want: confirmed_heap 1
}

//go:noinline
func literal(i int) {
	strs = map[string]int{"one": i, "two": 2} // want: confirmed_heap 1
}

//go:noinline
func literalLocal(i int) int {
	m := map[int]int{1: i, 2: 2} // want: confirmed_stack 2
	return size(m)
}

//go:noinline
func assign(m map[int]int, k, v int) {
	m[k] = v // want: unpredicted 200
}

//go:noinline
func assignStruct(m map[key]*int, p *int) {
	m[key{1, *p}] = p // want: unpredicted 1
}

//go:noinline
func increment(m map[string]int, k string) {
	m[k]++ // want: shared 2
}

//go:noinline
func lookUp(m map[int]int, k int) int {
	return m[k]
}

//go:noinline
func remove(m map[int]int, k int) {
	delete(m, k)
}

//go:noinline
func iterate(m map[int]int) int {
	n := 0
	for k, v := range m {
		n += k + v
	}
	return n
}

//go:noinline
func unbuffered() {
	channel = make(chan int) // want: unpredicted 1
}

//go:noinline
func buffered(n int) {
	channel = make(chan int, n) // want: unpredicted 1
}

//go:noinline
func ofPointers() {
	pointer = make(chan *int, 4) // want: unpredicted 1
}

//go:noinline
func ofNothing() {
	signals = make(chan struct{}, 4) // want: unpredicted 1
}

//go:noinline
func localChannel(i int) int {
	c := make(chan int, 1) // want: unpredicted 1
	c <- i
	return <-c
}

func main() {
	x := 5 // want: confirmed_heap 1
	small()
	total += smallLocal() + grownLocal(100)
	hinted(hint)
	total += hintedLocal(few)
	hintedConstant()
	literal(3)
	total += literalLocal(3)
	for i := 0; i < 200; i++ {
		assign(kept, i, i)
	}
	structs = make(map[key]*int) // want: confirmed_heap 1
	assignStruct(structs, &x)
	increment(strs, "one")
	increment(strs, "three")
	total += lookUp(kept, 3)
	remove(kept, 3)
	total += iterate(kept)
	unbuffered()
	buffered(few)
	ofPointers()
	ofNothing()
	total += localChannel(2)
	println(total, len(kept), len(strs), len(structs))
}
