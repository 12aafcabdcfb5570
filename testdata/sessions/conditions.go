// Every condition that this program prints, with what Go makes of it, for
// tests/script/test_conditions.py.
package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
)

type E struct {
	a, b int8
	s    string
}
type My int16

var gm = map[string]int{"x": 1}
var gp *E
var gs, gi, gj any = gp, nil, My(3)
var ge error = (*os.PathError)(nil)
var gk = []any{gs, nil, ge, []int(nil), gm, "nil"}
var gf, gz any = fs.FileMode(5), math.Copysign(0, -1)
var gm5, gm6 fs.FileMode = 5, 6
var nz = math.Copysign(0, -1)
var gx = map[string]error{"x": ge, "y": nil}
var gt = map[error]string{ge: "typed", nil: "none"}

type Flag bool
type Link struct{ to *int }

var fb Flag = true
var gb, gc any = fb, c64
var one, other = 1, 1
var la, lb, lc = Link{&one}, Link{&other}, Link{&one}
var ga any = la
var gpa *[3]int
var gr any = 'b'
var cc complex64 = 0.1
var gn map[string][]int
var ln = map[Link]int{la: 3}
var kept []any // what the last call of f is given lives on

var c64 complex64 = 0.1 + 2i

//go:noinline
func f(n int, i8 int8, u8 uint8, u64 uint64, i64 int64, fl float64, f32 float32, nan float64, s string, m map[string]int, e E, p *E, np *E, arr [3]int8, sl []int, a any, err error, my My, c complex128, b bool, r rune, bs []byte, ch chan int, pp **E, nm map[string]int, fn func(), u uintptr, mi map[int8]string, mk map[E]int, ai any, as any) {
}

func main() {
	e := E{-7, 2, "é"}
	p := &e
	a := any(int8(5))
	var err error
	n, i8, u8, u64, i64, fl, f32, nan, s, m, arr, sl, my, c, b, r, bs := -7, int8(-128), uint8(200), uint64(math.MaxUint64), int64(math.MinInt64), 0.1, float32(0.1), math.NaN(), "a\xffé", map[string]int{"k": 3, "neg": -1}, [3]int8{1, -2, 3}, []int{5, 6}, My(32767), 1+2i, true, 'é', []byte("hi")
	var np *E
	ch := make(chan int, 3)
	ch <- 1
	mk := map[E]int{e: 9}
	mi := map[int8]string{-1: "neg"}
	ai, as := any(e), any("str")
	kept = []any{m, mk, mi, gpa, gn, ln}
	for q := 0; q < 200; q++ {
		f(n, i8, u8, u64, i64, fl, f32, nan, s, m, e, p, np, arr, sl, a, err, my, c, b, r, bs, ch, &p, nil, nil, 3, mi, mk, ai, as)
	}
	if len(os.Args) > 1 {
		return
	}
	T := func(x string, v bool) { fmt.Println("T|" + x + "|" + fmt.Sprint(v)) }
	T(`n/2 == -3`, n/2 == -3)
	T(`n%3 == -1`, n%3 == -1)
	T(`n>>1 == -4`, n>>1 == -4)
	T(`-n == 7`, -n == 7)
	T(`n&1 == 1`, n&1 == 1)
	T(`n&^1 == -8`, n&^1 == -8)
	T(`n^1 == -8`, n^1 == -8)
	T(`^n == 6`, ^n == 6)
	T(`u8+100 == 44`, u8+100 == 44)
	T(`u8*2 == 144`, u8*2 == 144)
	T(`-u8 == 56`, -u8 == 56)
	T(`^u8 == 55`, ^u8 == 55)
	T(`u8<<1 == 144`, u8<<1 == 144)
	T(`i8-1 == 127`, i8-1 == 127)
	T(`-i8 == i8`, -i8 == i8)
	T(`i8/-1 == -128`, i8/-1 == -128)
	T(`u64+1 == 0`, u64+1 == 0)
	T(`u64 > 5`, u64 > 5)
	T(`u64 == 18446744073709551615`, u64 == 18446744073709551615)
	T(`u64>>63 == 1`, u64>>63 == 1)
	T(`i64-1 > 0`, i64-1 > 0)
	T(`i64 < 0`, i64 < 0)
	T(`my+1 < 0`, my+1 < 0)
	T(`fl == 0.1`, fl == 0.1)
	T(`f32 == 0.1`, f32 == 0.1)
	T(`float64(f32) == 0.1`, float64(f32) == 0.1)
	T(`f32*3 == 0.3`, f32*3 == 0.3)
	T(`fl+0.2 == 0.3`, fl+0.2 == 0.3)
	T(`fl*3 > 0.3`, fl*3 > 0.3)
	T(`nan == nan`, nan == nan)
	T(`nan != nan`, nan != nan)
	T(`nan < 1`, nan < 1)
	T(`!(nan < 1)`, !(nan < 1))
	T(`len(s) == 4`, len(s) == 4)
	T(`s[1] == 0xff`, s[1] == 0xff)
	T(`s[1:] > "z"`, s[1:] > "z")
	T(`s == "a\xffé"`, s == "a\xffé")
	T(`s + "x" == "a\xfféx"`, s+"x" == "a\xfféx")
	T(`s < "b"`, s < "b")
	T(`m["k"] == 3`, m["k"] == 3)
	T(`m["none"] == 0`, m["none"] == 0)
	T(`nm["none"] == 0`, map[string]int(nil)["none"] == 0)
	T(`len(m) == 2`, len(m) == 2)
	T(`len(nm) == 0`, true)
	T(`nm == nil`, true)
	T(`e.a/e.b == -3`, e.a/e.b == -3)
	T(`e.a*e.a*e.a < 0`, e.a*e.a*e.a < 0)
	T(`e == *p`, e == *p)
	T(`p.s == "é"`, p.s == "é")
	T(`len(p.s) == 2`, len(p.s) == 2)
	T(`np == nil`, np == nil)
	T(`np != nil && np.a == 1`, np != nil && np.a == 1)
	T(`arr[1] == -2`, arr[1] == -2)
	T(`arr == [3]int8{1, -2, 3}`, arr == [3]int8{1, -2, 3})
	T(`sl[1] == 6`, sl[1] == 6)
	T(`sl[len(sl)-1] == 6`, sl[len(sl)-1] == 6)
	T(`cap(sl) == 2`, cap(sl) == 2)
	T(`a == 5`, a == 5)
	T(`a == int8(5)`, a == int8(5))
	T(`a != nil`, a != nil)
	T(`err == nil`, err == nil)
	T(`c == 1+2i`, c == 1+2i)
	T(`real(c) == 1`, real(c) == 1)
	T(`imag(c)*3 > 5 && imag(c) != -2`, imag(c)*3 > 5 && imag(c) != -2)
	T(`real(c64) == 0.1 && real(c64)*3 == 0.3`, real(c64) == 0.1 && real(c64)*3 == 0.3)
	T(`b`, b)
	T(`!b || n < 0`, !b || n < 0)
	T(`r == 'é'`, r == 'é')
	T(`r > 200`, r > 200)
	T(`bs[0] == 'h'`, bs[0] == 'h')
	T(`string(bs) == "hi"`, string(bs) == "hi")
	T(`len(ch) == 1`, len(ch) == 1)
	T(`cap(ch) == 3`, cap(ch) == 3)
	T(`fn == nil`, true)
	T(`mi[-1] == "neg"`, mi[-1] == "neg")
	T(`mk[e] == 9`, mk[e] == 9)
	T(`ai == e`, ai == e)
	T(`as == "str"`, as == "str")
	T(`as.(string) == "str"`, as.(string) == "str")
	T(`a.(int8) == 5`, a.(int8) == 5)
	T(`int(u8)+100 == 300`, int(u8)+100 == 300)
	T(`int8(u8) == -56`, int8(u8) == -56)
	T(`uint8(n) == 249`, uint8(n) == 249)
	T(`uint(n) > 100`, uint(n) > 100)
	T(`int(fl*100) == 10`, int(fl*100) == 10)
	T(`int(-fl*75) == -7`, int(-fl*75) == -7)
	T(`float64(n)/2 == -3.5`, float64(n)/2 == -3.5)
	T(`float32(fl) == f32`, float32(fl) == f32)
	T(`1<<3|1 == 9`, 1<<3|1 == 9)
	T(`2+3*4 == 14`, 2+3*4 == 14)
	T(`n+2*3 == -1`, n+2*3 == -1)
	T(`7/2*2.0 == 7`, 7/2*2.0 == 7)
	T(`n<<62<<2 == 0`, n<<62<<2 == 0)
	T(`u8>>9 == 0`, u8>>9 == 0)
	T(`i8>>9 == -1`, i8>>9 == -1)
	T(`main.gm["x"] == 1`, gm["x"] == 1)
	T(`gm["x"] == 1`, gm["x"] == 1)
	T(`(*p).b == 2`, (*p).b == 2)
	T(`(**pp).b == 2`, (*p).b == 2)
	T(`gs == nil`, gs == nil)
	T(`main.gs != nil`, gs != nil)
	T(`gi == nil`, gi == nil)
	T(`ge == nil`, ge == nil)
	T(`gk[0] == nil`, gk[0] == nil)
	T(`gk[1] == nil`, gk[1] == nil)
	T(`gk[3] == nil`, gk[3] == nil)
	T(`gk[4] == nil`, gk[4] == nil)
	T(`gk[5] == "nil"`, gk[5] == "nil")
	T(`gx["x"] == nil`, gx["x"] == nil)
	T(`gx["y"] == nil`, gx["y"] == nil)
	T(`gx["z"] == nil`, gx["z"] == nil)
	T(`gt[ge] == "typed"`, gt[ge] == "typed")
	T(`gt[nil] == "none"`, gt[nil] == "none")
	T(`gs == gp`, gs == gp)
	T(`gp == gs`, gp == gs)
	T(`gi == gp`, gi == gp)
	T(`gp == gi`, gp == gi)
	T(`gs == p`, gs == p)
	T(`gs == np`, gs == np)
	T(`gi == err`, gi == err)
	T(`gs == ge`, gs == ge)
	T(`gs == gk[0]`, gs == gk[0])
	T(`gk[2] == ge`, gk[2] == ge)
	T(`gf == gm5`, gf == gm5)
	T(`gm5 == gf`, gm5 == gf)
	T(`gf == gm6`, gf == gm6)
	T(`gf == 5`, gf == 5)
	T(`1/nz < 0`, 1/nz < 0)
	T(`gz == 0.0`, gz == 0.0)
	T(`gj == my-32764`, gj == my-32764)
	T(`min(n, 3) == -7`, min(n, 3) == -7)
	T(`math.MaxInt8 == 127`, math.MaxInt8 == 127)
	T(`gb == fb`, gb == fb)
	T(`gb == true`, gb == true)
	T(`gc == c64`, gc == c64)
	T(`cc == 0.1 && cc == 0.10000000149011612`, cc == 0.1 && cc == 0.10000000149011612)
	T(`la == lb`, la == lb)
	T(`la == lc && ga == lc`, la == lc && ga == lc)
	T(`ga == lb`, ga == lb)
	T(`gr == 'a'+1`, gr == 'a'+1)
	T(`1<<(n+10) == 8`, 1<<(n+10) == 8)
	T(`u8+56 == 1<<(n+15)`, u8+56 == 1<<(n+15))
	T(`1<<(n+71) == 0`, 1<<(n+71) == 0)
	T(`len(arr)+cap(arr)+len(gpa)+cap(gpa) == 12`, len(arr)+cap(arr)+len(gpa)+cap(gpa) == 12)
	T(`len(gn["x"]) == 0 && gn["x"] == nil`, len(gn["x"]) == 0 && gn["x"] == nil)
	T(`fl != 1e-400 && fl < 1e300*10`, fl != 1e-400 && fl < 1e300*10)
	T(`n == -7 == true`, n == -7 == true)
	T(`"abc"[1] == 'b'`, "abc"[1] == 'b')
	T(`len("é") == 2`, len("é") == 2)
	T(`len([]rune(s)) == 3`, len([]rune(s)) == 3)
	T(`u == 3`, true)
	T(`n == -7.0`, n == -7.0)
	T(`f32 == 0.10000000149011612`, f32 == 0.10000000149011612)
	T(`f32+f32 == 0.2`, f32+f32 == 0.2)
	T(`f32*f32 == 0.01`, f32*f32 == 0.01)
	T(`0x1p-2 == 0.25`, 0x1p-2 == 0.25)
	T(`1_000 == 1000`, 1_000 == 1000)
	T(`0b11 == 3`, 0b11 == 3)
	T(`010 == 8`, 010 == 8)
	T(`'a'+1 == 'b'`, 'a'+1 == 'b')
}
