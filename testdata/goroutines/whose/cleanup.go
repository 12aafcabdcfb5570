//go:build go1.24

package main

import "runtime"

func init() {
	late["cleanup"] = func() {
		x := new([4]int)
		runtime.AddCleanup(x, func(what string) { stand(what) }, "cleanup")
	}
}
