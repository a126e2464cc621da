"""Text formats with a structure of their own: headings are sections, tables are tables, words stay."""

from __future__ import annotations

import importlib
import json

import pytest

from roma_core.parsers import registry
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.media import detect
from roma_core.types import Document, RawDocument


def read(uri: str, text: str) -> Document:
    raw = RawDocument(uri=uri, data=text.encode())
    module, _, function = registry.by_media_type()[detect(raw)].parse.partition(":")
    document: Document = getattr(importlib.import_module(module), function)(raw, ParseOptions())
    return document


ORG = """#+TITLE: Herons
# a comment
* Methods :field:
Two lakes with =code= and [[https://example.org][a link]].
** Sites
- north
  - shore
| Lake  | Count |
|-------+-------|
| North |    12 |
#+BEGIN_SRC python
print("* no heading")
#+END_SRC
"""
ASCIIDOC = """= Heron Guide
:toc:

== Methods

Two lakes, link:https://example.org[a link].

=== Sites

* north
** shore

|===
|Lake |Count

|North |12
|===

----
== no heading
----
"""
WIKI = """== Methods ==
'''Two''' lakes with [[Heron|herons]].<ref>a source</ref>
=== Sites ===
* north
** shore
{| class="wikitable"
! Lake !! Count
|-
| North || 12
|}
<pre>
== no heading ==
</pre>
"""
LATEX = r"""\documentclass{article}
\title{Herons}\author{A. Lee}
\begin{document}
\maketitle
\section{Methods}
We counted \textbf{41} herons~\cite{doe} on Two lakes. % secret
\subsection{Sites}
\begin{itemize}\item north \item shore\end{itemize}
\begin{tabular}{lr}\hline Lake & Count \\ North & 12 \\\hline\end{tabular}
\begin{verbatim}
\section{no heading}
\end{verbatim}
The area is $10^3$ m.
\end{document}
"""


@pytest.mark.parametrize(
    ("uri", "text"), [("a.org", ORG), ("a.adoc", ASCIIDOC), ("a.wiki", WIKI), ("a.tex", LATEX)], ids=lambda v: v[:6]
)
def test_a_markup_language_gives_sections_lists_tables_and_code(uri: str, text: str) -> None:
    document = read(uri, text)
    assert [(s.title, s.level) for s in document.sections] == [("Methods", 1), ("Sites", 2)]
    assert {"heading", "paragraph", "list", "table", "code"} <= {block.kind for block in document.blocks}
    assert "| Lake | Count |" in document.text and "| North | 12 |" in document.text
    assert "no heading" in document.text and "shore" in document.text
    assert not any(words in document.text for words in ("secret", "a comment"))


def test_latex_keeps_words_numbers_and_formulas() -> None:
    document = read("a.tex", LATEX)
    assert document.title == "Herons" and document.metadata["author"] == "A. Lee"
    assert "We counted 41 herons on Two lakes." in document.text and "$10^3$" in document.text


def test_json_is_searchable_as_it_reads() -> None:
    lines = [{"sku": "K-9", "qty": 3}, {"sku": "K-1", "qty": 5}]
    text = json.dumps({"order": {"id": 7.1, "note": "Größe", "lines": lines}}).replace("7.1", "7.10")
    table = "| sku | qty |\n| --- | --- |\n| K-9 | 3 |\n| K-1 | 5 |"
    assert read("a.json", text).text == f"# order\n\nid: 7.10\nnote: Größe\n\n## lines\n\n{table}"


def test_json_lines_are_records() -> None:
    lines = "\n".join(json.dumps({"id": n, "text": f"Entry {n}"}) for n in range(3))
    assert "| 2 | Entry 2 |" in read("a.jsonl", lines).text


def test_what_is_no_json_is_kept_as_text_with_a_warning() -> None:
    document = read("a.json", '{"a": 1, oops')
    assert document.text == '{"a": 1, oops' and "no valid JSON" in document.warnings[0]


def test_xml_is_read_as_a_tree_with_entities_resolved() -> None:
    books = "<book id='b1'><title>Caf&#233; &amp; Tea</title></book><book id='b2'><title>Ale</title></book>"
    document = read("a.xml", f"<?xml version='1.0'?><catalog>{books}</catalog>")
    assert "| b1 | Café & Tea |" in document.text and "| b2 | Ale |" in document.text


JATS = """<article><front><article-meta>
<title-group><article-title>On herons</article-title></title-group>
<contrib-group><contrib><name><surname>Lee</surname><given-names>Ann</given-names></name></contrib></contrib-group>
<abstract><p>We counted.</p></abstract></article-meta></front>
<body><sec><title>Methods</title><p>Two <italic>lakes</italic>.</p>
<sec><title>Sites</title><p>North.</p><table-wrap><table><tr><th>Lake</th><th>Count</th></tr>
<tr><td>North</td><td>12</td></tr></table></table-wrap></sec></sec></body>
<back><ref-list><ref><mixed-citation>Doe 1999</mixed-citation></ref></ref-list></back></article>"""


def test_an_article_in_jats_has_its_sections() -> None:
    document = read("a.xml", JATS)
    assert document.title == "On herons" and document.metadata["author"] == "Ann Lee"
    assert [section.title for section in document.sections] == ["On herons", "Abstract", "Methods", "Sites"]
    assert "| North | 12 |" in document.text and "Doe 1999" not in document.text
    assert document.left_out[0].text == "Doe 1999"


PYTHON = "class Billing:\n    def rate(self, hours):\n        return compute(hours)\n\n\ndef main():\n    rate(1)\n"
SCRIPT = "class Billing {\n    rate(hours) { return 1; }\n}\nfunction main() { rate(1); }\n"
CODE = {
    "a.py": (PYTHON, ["Billing", "rate", "main"]),
    "a.js": (SCRIPT, ["Billing", "main"]),
    "a.go": ("package x\n\nfunc Rate(h int) int {\n\treturn compute(h)\n}\n", ["Rate"]),
    "a.rs": ("pub fn rate(h: u32) -> u32 {\n    compute(h)\n}\n", ["rate"]),
}


@pytest.mark.parametrize("uri", CODE)
def test_code_is_kept_as_it_is_and_its_definitions_are_sections(uri: str) -> None:
    text, names = CODE[uri]
    document = read(uri, text)
    titles = {section.title for section in document.sections}
    assert document.text == text and set(names) <= titles and "compute" not in titles
    assert all(block.kind == "code" for block in document.blocks)


@pytest.mark.parametrize(
    ("uri", "text", "names"),
    [
        ("a.yaml", "server:\n  host: example.org\n# note\nlimits:\n  rate: 17\n", ["server", "limits"]),
        ("a.toml", "title = 'x'\n[server]\nhost = 'h'\n[server.limits]\nrate = 17\n", ["server", "server.limits"]),
    ],
)
def test_configuration_is_kept_as_it_is_and_its_keys_are_sections(uri: str, text: str, names: list[str]) -> None:
    document = read(uri, text)
    assert document.text == text and [section.title for section in document.sections] == names


def test_notes_of_light_markup_stand_by_their_marks() -> None:
    wiki = read("a.wiki", "Herons eat 12 fish.<ref>Doe 1999</ref> More.")
    adoc = read("a.adoc", "Herons eat 12 fish.footnote:[Doe 1999] More.")
    assert wiki.text == adoc.text == "Herons eat 12 fish.[^1] More.\n\n[^1]: Doe 1999"
    assert read("a.org", "Fish[fn:1].\n\n[fn:1] Doe 1999").text == "Fish[^1].\n\n[^1]: Doe 1999"


def test_what_latex_defines_spans_or_quotes_is_read_as_a_reader_sees_it() -> None:
    document = read(
        "b.tex",
        r"\newcommand{\version}{2.0}\newcommand\tool{ROMA \version}"
        "\n\\begin{document}\\maketitle Use \\tool{} \\texttt{x1} \\verb|a%b| \\href{http://e.org/a%20b}{here 7}. "
        "% note 9\n"
        r"\begin{tabular}{lr} A & \multicolumn{1}{c}{3} \\ \multirow{2}{*}{B} & 4 \end{tabular}\end{document} rest 5",
    )
    assert document.text == "Use ROMA 2.0 x1 a%b here 7.\n\n| A | 3 |\n| --- | --- |\n| B | 4 |"
    assert [link.url for link in document.links] == ["http://e.org/a%20b"]
    assert {entry.text for entry in document.left_out} == {"note 9", "rest 5"}


def test_fields_of_one_name_and_mixed_content_lose_no_number() -> None:
    assert read("a.json", '{"a": 1, "a": 2}').text == "a: 1\na (2): 2"
    mixed = read("a.xml", '<d><i id="9">T 3<sub x="4">5</sub>6</i><!-- c --><![CDATA[x<8]]></d>')
    assert mixed.text == "d: T 3 5 6x<8"
    assert [entry.text for entry in mixed.left_out] == ["id: 9", "x: 4"]


def test_formulas_and_ordered_lists_of_articles_are_kept() -> None:
    document = read(
        "a.xml",
        '<article xmlns:m="http://www.w3.org/1998/Math/MathML"><front><article-meta>'
        "<pub-date><year>2023</year></pub-date>"
        "<abstract><title>Abstract</title><p>Short.</p></abstract></article-meta></front><body><p>Half is "
        "<m:math><m:mfrac><m:mn>1</m:mn><m:mn>2</m:mn></m:mfrac></m:math>.</p>"
        "<list list-type='order'><list-item><p>one</p></list-item>"
        "</list></body></article>",
    )
    assert document.text == "## Abstract\n\nShort.\n\nHalf is $\\frac{1}{2}$.\n\n1. one"
    assert [(entry.text, entry.place) for entry in document.left_out] == [("2023", "pub-date of the article")]
