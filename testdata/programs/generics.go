// Generic types and functions: one body compiled for several shapes, each with its own types.
package main

type list[T any] struct {
	Val  T
	Next *list[T]
}

type pair[K comparable, V any] struct {
	Key K
	Val V
}

type number interface{ ~int | ~float64 }

type metres int

func sum[T number](xs ...T) T {
	var total T
	for _, x := range xs {
		total += x
	}
	return total // stop hits=3
	// want#1: total value=6
	// want#1: xs value="[1 2 3]" len=3
	// want#2: total value=1.5
	// want#2: xs value="[0.5 1]" len=2
	// want#3: total value=30
	// want#3: xs value="[10 20]" len=2
	// want: @stop function~`main\.sum\[.*\]`
}

func first[K comparable, V any](p pair[K, V]) K {
	k := p.Key
	return k // stop hits=2
	// want#1: k value=key len=3
	// want#1: p value=`{Key:"key" Val:1}`
	// want#2: k value=true
	// want#2: p value=`{Key:true Val:{Key:1 Val:"in"}}`
}

func (l *list[T]) push(v T) *list[T] { return &list[T]{v, l} }

func apply[T, U any](x T, f func(T) U) U { return f(x) }

func main() {
	a := sum(1, 2, 3)
	b := sum(0.5, 1)
	c := sum(metres(10), 20)
	ints := (&list[int]{Val: 1}).push(2)
	strs := &list[string]{Val: "one"}
	deep := pair[string, pair[int, []string]]{"k", pair[int, []string]{1, []string{"v"}}}
	d := first(pair[string, int]{"key", 1})
	e := first(pair[bool, pair[int, string]]{true, pair[int, string]{1, "in"}})
	f := apply(5, func(n int) string { return "five"[:n-1] })
	println("stop") // stop
	// want: a value=6 type=int
	// want: b value=1.5 type=float64
	// want: c value=30 type=main.metres
	// want: ints type=*main.list[int]
	// want: ints.Val value=2
	// want: ints.Next.Val value=1
	// want: ints.Next.Next value=nil
	// want: strs type=*main.list[string]
	// want: strs.Val value=one
	// want: deep value=`{Key:"k" Val:{Key:1 Val:["v"]}}`
	// want: deep type=main.pair[string,main.pair[int,[]string]]
	// want: deep.Val.Val[0] value=v
	// want: d value=key
	// want: e value=true
	// want: f value=five
	func() { // uses them: a dead variable would keep a stale pointer when the stack moves
		_, _, _, _, _, _, _, _, _ = a, b, c, ints, strs, deep, d, e, f
	}()
}
