// Deep recursion makes the stack grow: it moves, and every variable on it, but each stays as far
// below the stack's high end as it was.
package main

func grow(depth int) int {
	var room [256]byte
	room[depth%256] = byte(depth)
	if depth == 0 {
		return int(room[0])
	}
	return grow(depth-1) + 1
}

func look(p *int, when int) {
	println("at top", p)
	println(when, *p) // stop hits=2
	// want: top frame=main.main live goroutine_stack value=42 printed=top moves steady
	// want: p live points_to=top data=goroutine_stack
	// want: small frame=main.main live goroutine_stack value="[1 2 3]" moves steady
	// want: header frame=main.main data=goroutine_stack points_to=small
}

func main() {
	top := 42
	small := [3]int{1, 2, 3}
	header := small[:]
	println("at first", &top)
	look(&top, 1)
	n := grow(5000)
	look(&top, 2)
	println(n, header[0]) // stop
	// want: n live value=5000
	// want: header value="[1 2 3]"
}
