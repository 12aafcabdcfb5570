// Floats and complex numbers, written as %v writes them: shortest form that reads back the same.
package main

import "math"

func main() {
	half := 0.5
	third := 1.0 / float64(len("abc"))
	big := 1e21
	bigPlain := 123456789.0
	tiny := 1e-7
	huge := math.MaxFloat64
	denormal := math.SmallestNonzeroFloat64
	inf := math.Inf(1)
	minusInf := math.Inf(-1)
	nan := math.NaN()
	minusZero := math.Copysign(0, -1)
	whole := 3.0
	var f32 float32 = 0.1
	var f32big float32 = 16777216
	var f32max float32 = math.MaxFloat32
	var c64 complex64 = 1 + 2i
	c128 := complex(0.5, -1e30)
	cnan := complex(nan, inf)
	println("settle", (*int)(nil)) // the stack grows here, not later
	println("at half", &half)
	println("at c128", &c128)
	println("stop") // stop
	// want: half live goroutine_stack size=8 value=0.5 type=float64 printed=half
	// want: third value=0.3333333333333333
	// want: big value=1e+21
	// want: bigPlain value=1.23456789e+08
	// want: tiny value=1e-07
	// want: huge value=1.7976931348623157e+308
	// want: denormal value=5e-324
	// want: inf value=+Inf
	// want: minusInf value=-Inf
	// want: nan value=NaN
	// want: minusZero value=-0
	// want: whole value=3
	// want: f32 live size=4 value=0.1 type=float32
	// want: f32big value=1.6777216e+07
	// want: f32max value=3.4028235e+38
	// want: c64 live size=8 value=(1+2i) type=complex64
	// want: c128 live size=16 value=(0.5-1e+30i) type=complex128 printed=c128
	// want: cnan value=(NaN+Infi)
	_, _, _, _, _, _, _, _, _ = half, third, big, bigPlain, tiny, huge, denormal, inf, minusInf
	_, _, _, _, _, _, _, _, _ = nan, minusZero, whole, f32, f32big, f32max, c64, c128, cnan
}
