"""Methods small enough to be put into the wrappers by which they are called: through interfaces, by
what embeds their receiver, as method values. They are called in no other way, so that each call has
code of its own."""

from __future__ import annotations

from scripts.truths.choices import Choices

_TYPES = (
    ("int", "smallInt", "{n}"),
    ("string", "smallText", "text({n})"),
    ("float64", "smallFloat", "float64({n})/4"),
)
_CALLS = {
    "value": ("V(3)", "&[]V{V(4)}[0]", "EV{V: V(5)}", "&EV{V: V(6)}"),
    "pointer": ("&P{5}", "EP{P: &P{6}}", "&EP{P: &P{7}}"),
    "generic": ("G[int]{7}", "&G[int]{8}", 'G[string]{"nine"}', "&G[pair]{}"),
}
_RECEIVERS = {"value": "(v V)", "pointer": "(p *P)", "generic": "(g G[T])"}
_NAMES = {"value": "main.V", "pointer": "main.(*P)", "generic": "main.G"}


def smalls(choices: Choices) -> tuple[str, list[str], list[str]]:
    """Their source, calls of them, and patterns that mean them."""
    texts: list[str] = []
    calls: list[str] = []
    patterns: list[str] = []
    for number in range(choices.below(4)):
        kind = choices.one_of(tuple(_CALLS))
        of, small, value = choices.one_of(_TYPES)
        name = f"{_NAMES[kind]}.s{number}"
        signature = f"(id int, a {of}) {of}"
        texts.append(
            f'func {_RECEIVERS[kind]} s{number}{signature} {{ return {small}(id, "{name}", a) }}\n'
            f"type i{number} interface {{ s{number}{signature} }}\n"
            f"//go:noinline\nfunc by{number}(i i{number}, id int, a {of}) {of} {{\n"
            f"\treturn i.s{number}(id, a)\n}}\n"
            f"//go:noinline\nfunc as{number}(f func{signature}, id int, a {of}) {of} {{\n"
            "\treturn f(id, a)\n}\n"
        )
        for _ in range(choices.between(1, 4)):
            on, given = choices.one_of(_CALLS[kind]), value.format(n=choices.below(90))
            if choices.chance(30):
                calls.append(f"\tas{number}(({on}).s{number}, next(), {given})")
            else:
                calls.append(f"\tby{number}({on}, next(), {given})")
        patterns.append(f"{name.replace('main.G', 'main.*G*')}")
    return "\n".join(texts), calls, patterns
