"""What the site of the documentation does to a page: links out of ``docs`` become names of files.

The same pages are read in the repository, where those links lead somewhere.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"\[([^\]\n]+)\]\((\.\.?/[^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page without links that leave the folder of the documentation."""
    folder = posixpath.dirname(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        target = match[2].partition("#")[0]
        place = posixpath.normpath(posixpath.join("docs", folder, target))
        return match[0] if place.startswith("docs/") else f"{match[1]} (`{place}`)"

    return LINK.sub(replace, markdown)
