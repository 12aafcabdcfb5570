package main

import "fmt"

type pair struct{ x, y int }

func (p pair) plus(q pair) pair { return pair{p.x + q.x, p.y + q.y} }
func (p *pair) scale(k int)     { p.x *= k; p.y *= k }
func (p pair) times(q pair) int { return p.x*q.x + p.y*q.y }

type ring[T any] struct {
	buf     []T
	head, n int
}

func (r *ring[T]) push(v T) bool {
	if r.n == len(r.buf) {
		return false
	}
	r.buf[(r.head+r.n)%len(r.buf)] = v
	r.n++
	return true
}

func (r *ring[T]) pop() (v T, ok bool) {
	if r.n == 0 {
		return
	}
	v = r.buf[r.head]
	r.head = (r.head + 1) % len(r.buf)
	r.n--
	return v, true
}

//go:noinline
func sum(n int) (total int) {
	r := &ring[pair]{buf: make([]pair, 3)}
	for i := 1; i < n; i++ {
		v := pair{i, i * i}
		if !r.push(v) {
			if old, ok := r.pop(); ok {
				total += old.times(v)
			}
			r.push(v)
		}
		v.scale(2) // nothing reads v.y in memory any more: its store is left out
		w := v.plus(pair{1, 1})
		total += w.x - w.y
	}
	fmt.Println(r)
	return
}

func main() { fmt.Println(sum(9)) }
