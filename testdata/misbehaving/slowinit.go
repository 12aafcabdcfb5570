// Takes a second before main.main: a trace with a shorter --timeout reaches no stop.
package main

import (
	"fmt"
	"time"
)

func init() { time.Sleep(time.Second) }

func main() { fmt.Println("at last") }
