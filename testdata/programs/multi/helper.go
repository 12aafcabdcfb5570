package main

func helper(n int) int {
	extra := 10
	return n + extra // stop
	// want: @stop function=main.helper
	// want: n value=2
	// want: extra value=10
}
