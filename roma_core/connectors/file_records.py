"""Connectors over one local file that holds many records: a mailbox, a bibliography, an archive of pages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote

from roma_core.connectors.local.paths import Fence, real
from roma_core.connectors.records import RecordConnector, absent, is_below, outside
from roma_core.errors import AccessError, InputError
from roma_core.settings import Settings
from roma_core.types import Source


class FileRecordConnector(RecordConnector):
    """A ``RecordConnector`` over a file: ``mbox:///home/me/mail.mbox``; ``~`` and relative paths are made absolute.

    Whoever is confined reaches the files below the folders that are named, and those named by their own address.
    """

    noun = "file"
    """What the file is, for errors."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._workspace = settings.workspace

    def normalise_source(self, source: Source) -> Source:
        """Return the source by its absolute path. Raises ``InputError`` and ``AccessError``. Looks at the disk."""
        scheme = source.uri.partition("://")[0].lower()
        path = self.path_of(source.uri).absolute()
        uri = path.as_uri().replace("file://", f"{scheme}://", 1)
        within = source.options.get("within")
        if within is not None and not any(is_below(uri, place) for place in within):
            self._demand_inside(path, within)
        return source.model_copy(update={"uri": uri})

    def path_of(self, uri: str) -> Path:
        """Return the path in an address. Raises ``InputError``."""
        text = unquote(uri.partition("://")[2].partition("#")[0])
        if not text or "\0" in text:
            raise InputError(f"A source of this kind is {self.schemes[0]}:// and the path of a {self.noun}.")
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise InputError("There is no such user's home.") from None

    def demand_inside(self, source: Source, path: Path) -> None:
        """Raise ``AccessError`` for a file that a confined source may not read."""
        within = source.options.get("within")
        if within is not None:
            self._demand_inside(path, within)

    def require(self, source: Source) -> Path:
        """Return the file of a source. Raises ``ConnectorError`` (not found)."""
        path = self.path_of(source.uri)
        if not path.exists():
            raise absent(source.uri, f"{self.noun} {path}")
        return path

    def _demand_inside(self, path: Path, within: tuple[str, ...]) -> None:
        try:
            Fence.around(within, self._workspace).demand(real(path))
        except AccessError:
            raise outside() from None

    async def _check(self, source: Source) -> Source:
        return await asyncio.to_thread(self.normalise_source, source)
