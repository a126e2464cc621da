"""Pages around known texts: reference documents as HTML inside the surroundings of five kinds of sites.

Real pages with a reference are few. Here the reference is known by construction, and so is every word of boilerplate;
the surroundings are written as such sites write them, with and without the elements of HTML 5 that say what is what.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

MOST_CHARS = 60_000
LEAST_CHARS = 400

_TOPICS = ("Markets", "Weather", "Science", "Travel", "Opinion", "Sport", "Culture", "Podcasts")
_LINKS = "".join(f'<li><a href="/{topic.lower()}">{topic}</a></li>' for topic in _TOPICS)
_TEASERS = "".join(
    f'<li><a href="/story/{n}">{topic}: what to know about the week that lies ahead of us, part {n}</a></li>'
    for n, topic in enumerate(_TOPICS)
)
_COOKIES = (
    "We and our partners store information on your device to measure audiences and to show you offers. You can change "
    "your choice at any time in the privacy settings."
)
_FOOTER = (
    "Copyright of the publisher. All rights reserved. Imprint, privacy policy, terms of use, jobs, contact, press."
)
_SHARE = (
    "<a href='/s/mail'>Share by mail</a> <a href='/s/print'>Print this page</a> <a href='/s/save'>Save for later</a>"
)

SITES = {
    "newspaper": """<html><head><title>{title}</title></head><body>
<header><a href="/">The Daily Courier</a><nav><ul>{links}</ul></nav><form><input><button>Search</button></form>
</header>
<main><article><h1>{title}</h1><div class="share">{share}</div>{text}</article>
<section class="comments"><h2>Comments</h2><p>Log in to comment on this.</p></section></main>
<aside><h2>Most read</h2><ul>{teasers}</ul></aside><footer><p>{footer}</p><ul>{links}</ul></footer></body></html>""",
    "blog": """<html><head><title>{title}</title></head><body><div id="cookie-notice" class="banner"><p>{cookies}</p>
</div>
<div id="header"><div class="site-title"><a href="/">Notes from the harbour</a></div><div class="menu">
<ul>{links}</ul></div></div>
<div id="content"><div class="post"><h1 class="entry-title">{title}</h1><div class="entry-content">{text}</div>
<div class="sharedaddy">{share}</div></div><div class="related-posts"><h3>You may also like</h3><ul>{teasers}</ul>
</div></div>
<div id="sidebar" class="sidebar widget-area"><h3>Archive</h3><ul>{links}</ul><h3>Recent posts</h3><ul>{teasers}</ul>
</div>
<div id="footer"><p>{footer}</p></div></body></html>""",
    "documentation": """<html><head><title>{title}</title></head><body><div class="navbar"><ul>{links}</ul></div>
<div class="sidebar-drawer"><nav class="toc"><ul>{teasers}</ul></nav></div>
<div role="main" class="document"><div class="body"><h1>{title}</h1>{text}</div>
<div class="prev-next"><a href="/p">Previous: Getting started</a> <a href="/n">Next: Reference</a></div></div>
<div class="footer" role="contentinfo"><p>{footer} Made with a generator of documentation.</p></div></body></html>""",
    "wiki": """<html><head><title>{title}</title></head><body><div id="mw-navigation"><ul>{links}</ul>
<ul>{teasers}</ul></div>
<div id="content" class="mw-body"><h1 id="firstHeading">{title}</h1><div id="siteSub">From the free manual</div>
<div id="mw-content-text"><div class="mw-parser-output">{text}</div></div><div id="catlinks" class="catlinks">
<ul>{links}</ul></div></div>
<div id="footer"><ul><li>{footer}</li><li>{cookies}</li></ul></div></body></html>""",
    "layout of tables": """<html><head><title>{title}</title></head><body><table width="100%"><tr><td colspan="2">
<a href="/">Home of the society</a> | <a href="/news">News</a> | <a href="/members">Members</a></td></tr><tr>
<td width="150">
<ul>{links}</ul></td><td><h1>{title}</h1>{text}</td></tr><tr><td colspan="2"><small>{footer}</small></td></tr>
</table></body></html>""",
}


def references(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and Markdown of the reference documents that are long enough to be an article."""
    for path in sorted(folder.glob("*.groundtruth.md")):
        text = path.read_text(encoding="utf-8")
        if LEAST_CHARS <= len(text) <= MOST_CHARS:
            yield path.name.removesuffix(".groundtruth.md"), text


def page(site: str, title: str, markdown: str) -> tuple[bytes, str]:
    """The page, and the text that should be read of it."""
    from markdown_it import MarkdownIt

    text = MarkdownIt("commonmark").enable("table").render(markdown)
    parts = {"links": _LINKS, "teasers": _TEASERS, "cookies": _COOKIES, "footer": _FOOTER, "share": _SHARE}
    html = SITES[site].format(title=escape(title), text=text, **parts)
    return html.encode(), f"# {title}\n\n{markdown}"
