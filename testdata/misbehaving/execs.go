// Replaces itself by /bin/echo.
package main

import (
	"fmt"
	"syscall"
)

func main() {
	fmt.Println("before")
	syscall.Exec("/bin/echo", []string{"echo", "another program"}, nil)
}
