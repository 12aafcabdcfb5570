// Starts children, one after the other and several at once, and waits for each of them.
package main

import (
	"fmt"
	"os/exec"
	"sync"
)

func run(n int) string {
	out, err := exec.Command("/bin/echo", "child", fmt.Sprint(n)).Output()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func main() {
	for i := 0; i < 5; i++ {
		fmt.Print(run(i))
	}
	var all sync.WaitGroup
	texts := make([]string, 5)
	for i := range texts {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			texts[i] = run(10 + i)
		}(i)
	}
	all.Wait()
	fmt.Print(texts)
	fmt.Println()
}
