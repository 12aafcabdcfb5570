"""Go programs of very many types: syntax trees, and as many structs as large programs have."""

from __future__ import annotations

_END = """
func main() {
	n, _ := strconv.Atoi(os.Args[2])
	if os.Args[1] == "deep" { depth = 1000 }
	make_(n)
	runtime.GC()
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	runtime.KeepAlive(keep)
}
"""
_BEGIN = 'package main\nimport ("fmt"; "math/rand"; "os"; "runtime"; "strconv")\n'
_NODES = 80
_STRUCTS = 5000


def syntax_trees() -> str:
    """`wide` (30 nodes deep) or `deep` (1,000) trees of 80 node types, three children each."""
    lines = [_BEGIN, "type Node interface{ pos() int }\nvar keep []Node\nvar left, depth = 0, 30"]
    for i in range(_NODES):
        a, b = (7 * i + 1) % _NODES, (11 * i + 5) % _NODES
        lines.append(
            f"type N{i} struct {{ at int; a *N{a}; b Node; list []*N{b}; c *N{a}; name string }}\n"
            f"func (n *N{i}) pos() int {{ return n.at }}\n"
            f"func n{i}(d int) *N{i} {{\n"
            "\tif d == 0 || left <= 0 { return nil }\n\tleft--\n"
            f'\tn := &N{i}{{at: left, name: "n"}}\n'
            f"\tswitch rand.Intn(3) {{\n"
            f"\tcase 0: n.a = n{a}(d-1)\n"
            f"\tcase 1: n.b = any_(rand.Intn({_NODES}), d-1)\n"
            f"\tcase 2: left--; n.list = []*N{b}{{n{b}(d-1), nil}}\n\t}}\n"
            f"\tif rand.Intn(d) > depth/2 {{ n.c = n{a}(d/2) }}\n"
            "\treturn n\n}"
        )
    lines.append("func any_(kind, d int) Node {\n\tswitch kind {")
    lines += [f"\tcase {i}: if n := n{i}(d); n != nil {{ return n }}" for i in range(_NODES)]
    lines.append("\t}\n\treturn nil\n}")
    lines.append(
        f"func make_(n int) {{ left = n\n\tfor left > 0 {{ "
        f"if n := any_(rand.Intn({_NODES}), depth); n != nil {{ keep = append(keep, n) }} }}\n}}"
    )
    return "\n".join(lines) + _END


def many_structs() -> str:
    """5,000 structs that point at each other, each in equal numbers."""
    lines = [_BEGIN, "var keep []any\nvar depth = 0"]
    lines += [
        f"type S{i} struct {{ id int; a *S{(i + 1) % _STRUCTS}; b *S{(3 * i + 2) % _STRUCTS}"
        f"; t [{1 + i % 5}]int }}\nvar v{i} []*S{i}"
        for i in range(_STRUCTS)
    ]
    lines.append("func make_(n int) {")
    lines += [f"\tm{i}(n / {_STRUCTS})" for i in range(_STRUCTS)]
    lines.append("}")
    for i in range(_STRUCTS):
        a, b = (i + 1) % _STRUCTS, (3 * i + 2) % _STRUCTS
        lines.append(
            f"func m{i}(n int) {{ for k := range n {{ s := &S{i}{{id: k}}\n"
            f"\tif len(v{a}) > 0 {{ s.a = v{a}[rand.Intn(len(v{a}))] }}\n"
            f"\tif len(v{b}) > 0 {{ s.b = v{b}[rand.Intn(len(v{b}))] }}\n"
            f"\tv{i} = append(v{i}, s) }} }}"
        )
    return "\n".join(lines) + _END
