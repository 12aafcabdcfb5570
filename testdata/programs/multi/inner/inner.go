// Package inner is one of two with a Box.
package inner

// Box has a size.
type Box struct{ Size int }
