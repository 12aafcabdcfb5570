// Exits with code 0 in an init function, before main.main.
package main

import "os"

func init() { os.Exit(0) }

func main() { println("never") }
