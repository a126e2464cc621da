"""Text of others on its way into a prompt: shown as data that cannot pose as anything else. Pure.

Three things make a passage harmless as far as a prompt can: its fence is named by a hash of all passages, so no author
of a passage can close it; characters that a reader does not see are taken out; and tokens that chat templates give a
meaning are broken, because servers for local models read them inside of messages too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from roma_core.injection import visible
from roma_core.types import ScoredChunk, digest

_TEMPLATE_TOKENS = re.compile(
    r"<(?=\||/?s>|｜|/?(?:start|end)_of_turn>|/?think>)|\[(?=/?INST\])|<(?=</?SYS>>)", re.IGNORECASE
)
_TITLE_LENGTH = 200


def neutral(text: str) -> str:
    """Visible text in which chat-template tokens are broken by a blank."""
    return _TEMPLATE_TOKENS.sub(lambda m: m[0] + " ", visible(text))


def one_line(text: str, length: int = _TITLE_LENGTH) -> str:
    """A title that stays inside of its quotes."""
    plain = re.sub(r"[\s\"<>]+", " ", neutral(text)).strip()
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def fence_of(passages: Sequence[ScoredChunk]) -> str:
    """A name that no passage can hold: it depends on every character of all of them."""
    return digest("passages", *(p.chunk.id + p.chunk.text for p in passages))[:12]


def render_passages(passages: Sequence[ScoredChunk]) -> str:
    """Numbered passages as data, one fenced element each."""
    fence = fence_of(passages)
    return "\n\n".join(_element(n, p, fence) for n, p in enumerate(passages, start=1))


def _element(number: int, passage: ScoredChunk, fence: str) -> str:
    chunk = passage.chunk
    about = " › ".join(dict.fromkeys((chunk.title, *chunk.headings)))
    known = {"author": chunk.facts.author, "date": chunk.facts.date}
    facts = "".join(f' {name}="{one_line(value)}"' for name, value in known.items() if value)
    head = f'<passage-{fence} number="{number}" from="{one_line(about)}" place="{one_line(chunk.place)}"{facts}>'
    body = f"{chunk.context}\n{chunk.text}" if chunk.context and not chunk.headings else chunk.text
    return f"{head}\n{neutral(body)}\n</passage-{fence}>"
