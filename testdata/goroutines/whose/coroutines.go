//go:build go1.23

package main

import "iter"

var nexts []func() (int, bool)

func numbers(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

func standing(yield func(int) bool) { stand("coroutine") }

func init() {
	expected++
	more = append(more, func() {
		for i := 0; i < 5; i++ {
			next, _ := iter.Pull(numbers)
			next()
			nexts = append(nexts, next)
		}
		next, _ := iter.Pull(numbers) // not begun
		nexts = append(nexts, next)
		next, _ = iter.Pull(standing)
		go next()
	})
}
