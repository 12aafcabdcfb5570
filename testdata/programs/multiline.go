// An initialiser over several lines: not_yet until the last of them has run.
package main

type config struct {
	Name  string
	Sizes []int
	Child *config
}

func name() string {
	return "made" // stop
	// want: c frame=main.main not_yet
	// want: before frame=main.main live value=1
}

func size(n int) int {
	return n * 2 // stop hits=2
	// want: c frame=main.main not_yet
	// want: total frame=main.main not_yet
}

func main() {
	before := 1
	c := config{
		Name: name(),
		Sizes: []int{
			size(1),
			size(2),
		},
		Child: &config{
			Name: "child",
		},
	}
	total := before +
		len(c.Name) + // stop
		len(c.Sizes)
	// want: c live
	// want: c.Name value=made
	// want: c.Sizes value="[2 4]"
	// want: c.Child.Name value=child
	// want: total not_yet
	println(total) // stop
	// want: total live value=7
}
