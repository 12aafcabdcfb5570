// Package deep lies below another package.
package deep

import (
	"fmt"

	"example.com/multi/inner"
)

// Box has a name and another Box.
type Box struct {
	Name  string
	Inner inner.Box
}

var calls int

// Label says the name and a number.
func (b Box) Label(n int) string {
	calls++
	at := &calls
	text := fmt.Sprintf("%s/%d", b.Name, n+0**at)
	return text // stop
	// want: @stop function=example.com/multi/inner/deep.Box.Label frames=example.com/multi/inner/deep.Box.Label,main.main
	// want: b.Name value=deep
	// want: at data=bss data.symbol=example.com/multi/inner/deep.calls text=1
	// want: text value=deep/12 len=7
	// want: total frame=main.main value=12
}
