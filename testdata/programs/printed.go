// What fmt.Println is given is found through its call, constants and copies too, each once.
//
// builds: opt
package main

import "fmt"

type sums struct {
	total int
	log   []string
}

func (s *sums) add(n int) { s.total += n; s.log = append(s.log, fmt.Sprint(n)) }

func twice(s string) string { s += s; return s }

// stop at fmt.Println
// want[opt]: name frame=main.main value=gopher data=rodata why~.*a.0.*fmt.Println
// want[opt]: both frame=main.main value=gophergopher data=heap len=12
// want@1.24+[opt]: n frame=main.main value=12 why~.*a.4.*
// want[opt]: f frame=main.main value=2.5 why~.*a.5.*
// want[opt]: s frame=main.main live value=`{total:3 log:["0" "1" "2"]}`
// want[opt]: a register value~`\["gopher" "gophergopher" 3 "constant" 12 2.5\]`

func main() {
	name := "gopher"
	both := twice(name)
	var s sums
	for i := 0; i < 3; i++ {
		s.add(i)
	}
	const c = "constant"
	n := len(both)
	f := 2.5
	fmt.Println(name, both, s.total, c, n, f)
}
