// Starts children one after the other: each shares its memory until it execs.
package main

import (
	"fmt"
	"os/exec"
)

func main() {
	for range [20]int{} {
		if err := exec.Command("true").Run(); err != nil {
			panic(err)
		}
	}
	fmt.Println("end")
}
