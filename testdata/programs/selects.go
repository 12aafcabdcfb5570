// Select, timers, tickers and contexts.
package main

import (
	"context"
	"time"
)

func main() {
	ints, strs := make(chan int, 1), make(chan string, 1)
	strs <- "ready"
	chosen := ""
	select {
	case n := <-ints:
		println(n)
	case s, ok := <-strs:
		chosen = s
		println(ok) // stop
		// want: s live value=ready
		// want: ok live value=true
		// want: n absent
		// want: chosen live value=ready
	}
	select {
	case strs <- "sent":
		chosen = "sent"
	default:
		chosen = "default"
	}
	timer := time.NewTimer(time.Hour)
	stopped := timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := ctx.Err()
	short := time.After(time.Millisecond)
	at := <-short
	println(at.IsZero()) // stop
	// want: chosen value=sent
	// want: strs len=1 cap=1
	// want: strs[0] value=sent
	// want: stopped value=true
	// want: timer data=heap|goroutine_stack type=*time.Timer
	// want: ctx dynamic_type=*context.cancelCtx
	// want: err dynamic_type=*errors.errorString
	// want: err.s value=`context canceled`
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _ = stopped, err, timer, chosen
	}()
}
