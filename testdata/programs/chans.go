// Channels: nil, unbuffered, partly full, full, wrapped around, closed with and without contents.
package main

type job struct {
	ID   int
	Name string
}

func main() {
	var none chan int
	plain := make(chan int)
	buffered := make(chan int, 4)
	buffered <- 10
	buffered <- 20
	full := make(chan string, 2)
	full <- "first"
	full <- "second"
	wrapped := make(chan int, 3)
	for i := 1; i <= 5; i++ {
		if i > 3 {
			<-wrapped
		}
		wrapped <- i
	}
	closed := make(chan int, 2)
	closed <- 7
	close(closed)
	drained := make(chan int)
	close(drained)
	jobs := make(chan job, 1)
	jobs <- job{1, "build"}
	signals := make(chan struct{}, 8)
	signals <- struct{}{}
	var in chan<- int = buffered
	var out <-chan int = buffered
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at buffered.data", buffered)
	println("stop") // stop
	// want: none live goroutine_stack size=8 value=nil len=0 cap=0 no_data
	// want: plain value~`chan int 0x[0-9a-f]+ len 0 cap 0` len=0 cap=0 data=heap
	// want: buffered value~`chan int 0x[0-9a-f]+ len 2 cap 4` len=2 cap=4 data=heap data.printed=buffered.data elements=2
	// want: buffered[0] value=10
	// want: buffered[1] value=20
	// want: full len=2 cap=2
	// want: full[0] value=first
	// want: full[1] value=second data=rodata text=second
	// want: wrapped len=3 cap=3 elements=3
	// want: wrapped[0] value=3
	// want: wrapped[1] value=4
	// want: wrapped[2] value=5
	// want: closed len=1 cap=2 value~`chan int 0x[0-9a-f]+ len 1 cap 2 closed`
	// want: closed[0] value=7
	// want: drained len=0 cap=0 value~`.* closed`
	// want: jobs len=1 cap=1
	// want: jobs[0] value=`{ID:1 Name:"build"}`
	// want: signals len=1 cap=8
	// want: in len=2 cap=4 shares=buffered type="chan<- int"
	// want: out len=2 shares=buffered type="<-chan int"
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _ = none, plain, buffered, full, wrapped, closed
		_, _, _, _, _ = drained, jobs, signals, in, out
	}()
}
