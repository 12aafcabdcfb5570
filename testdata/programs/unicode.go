// Identifiers beyond ASCII, and names that look like something else.
package main

type Größe struct {
	Höhe, Breite int
	名前           string
}

func (g Größe) Fläche() int {
	ergebnis := g.Höhe * g.Breite
	return ergebnis // stop
	// want: @stop function=main.Größe.Fläche
	// want: g value=`{Höhe:2 Breite:3 名前:"x"}` type=main.Größe
	// want: g.名前 value=x
	// want: ergebnis value=6
}

func 数(値 int) int {
	二倍 := 値 * 2
	return 二倍 // stop
	// want: @stop function=main.数
	// want: 値 value=21
	// want: 二倍 value=42
}

func main() {
	π := 3.14
	ñandú := "bird"
	_x, x_ := 1, 2
	len := 5
	string := "shadows a type"
	nil_ := 0
	result, main := Größe{2, 3, "x"}.Fläche(), 数(21)
	println("stop") // stop
	// want: π value=3.14
	// want: ñandú value=bird
	// want: _x value=1
	// want: x_ value=2
	// want: len value=5
	// want: string value=`shadows a type`
	// want: nil_ value=0
	// want: result value=6
	// want: main value=42
	_, _, _, _, _, _, _, _, _ = π, ñandú, _x, x_, len, string, nil_, result, main
}
