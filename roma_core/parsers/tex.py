"""TeX's names of symbols, operators and functions, for every reader of formulas."""

from __future__ import annotations

_GREEK = "αβγδεζηθικλμνξπρστυφχψωϵϕΓΔΘΛΞΠΣΦΨΩ"
_GREEK_NAMES = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi
 chi psi omega epsilon varphi Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
_SIGNS = "×÷±∓·∗≤≥≠≈≡∞∂∇∈∉⊂⊆∪∩→←⇒⇔∀∃∅∝√∘…⋯∥⊥∼≪≫⋅"
_SIGN_NAMES = """times div pm mp cdot ast leq geq neq approx equiv infty partial nabla in notin subset subseteq cup cap
 to gets Rightarrow Leftrightarrow forall exists emptyset propto surd circ ldots cdots parallel perp sim ll gg cdot"""
SYMBOLS = dict(zip(_GREEK + _SIGNS, f"{_GREEK_NAMES} {_SIGN_NAMES}".split(), strict=True)) | {"−": "-"}
OPERATORS = dict(zip("∑∏∐∫∬∭∮∯∰⋃⋂⋁⋀", (
    "sum prod coprod int iint iiint oint oiint oiiint bigcup bigcap bigvee bigwedge"
).split(), strict=True))  # fmt: skip
FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp min max sup inf lim det dim ker gcd"
    " deg arg limsup liminf".split()
)
ROW_END = r" \\ "
ESCAPES = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "\\": r"\backslash "}


def spell_symbol(character: str) -> str:
    """Return a character of a formula as TeX writes it."""
    name = SYMBOLS.get(character)
    if name is None:
        name = OPERATORS.get(character)
    if name is None:
        return ESCAPES.get(character, character)
    return name if name == "-" else f" \\{name} "
