"""Formulas of pages keep what their layout says."""

from __future__ import annotations

import pytest

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.web import html
from roma_core.types import RawDocument


@pytest.mark.parametrize(
    ("mathml", "latex"),
    [
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", r"\frac{1}{2}"),
        ("<msup><mn>10</mn><mn>3</mn></msup>", "10^{3}"),
        ("<msqrt><mn>2</mn></msqrt>", r"\sqrt{2}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        ("<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>", "x_{1}^{2}"),
        ("<mrow><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></mrow>", "E=mc^{2}"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>+</mo><mi>b</mi><mo>)</mo></mrow><mn>2</mn></msup>", "{(a+b)}^{2}"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><mi>i</mi>", r"\sum_{i}^{n}i"),
        ("<mn>3</mn><mo>×</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>6</mn></mrow></msup>", r"3 \times 10^{-6}"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr></mtable>", r"\begin{matrix}1 & 0\end{matrix}"),
        ("<mtext>if</mtext><mi>x</mi>", r"\text{if}x"),
        ("<mfrac><mi>x</mi></mfrac><mo>≤</mo><mn>1</mn>", r"x \leq 1"),
    ],
)
def test_mathml_becomes_latex(mathml: str, latex: str) -> None:
    page = f"<html><body><p>The value is <math>{mathml}</math> here.</p></body></html>"
    document = html.parse(RawDocument(uri="file:///a.html", data=page.encode()), ParseOptions())
    assert document.text == f"The value is ${latex}$ here."


def test_tex_of_the_page_wins() -> None:
    page = (
        '<html><body><p>It is <math alttext="\\tfrac12"><mfrac><mn>1</mn><mn>2</mn></mfrac></math>.</p></body></html>'
    )
    assert html.parse(RawDocument(uri="a.html", data=page.encode()), ParseOptions()).text == r"It is $\tfrac12$."
