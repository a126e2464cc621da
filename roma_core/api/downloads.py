"""Files that a client saves, and never opens as a page of this site."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query as Parameter
from fastapi import Response

from roma_core.transcripts import MEDIA_TYPES, FileFormat, SavedFile

FormatParameter = Annotated[FileFormat, Parameter(alias="format", description="Kind of the file.")]
FILE_CONTENT: Final[dict[str, Any]] = {
    media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
    for media_type in MEDIA_TYPES.values()
}


def make_download(file: SavedFile) -> Response:
    """Return a response that a browser saves under the file's name, of which plain letters are kept."""
    plain = file.name.encode("ascii", "replace").decode().replace("?", "_")
    headers = {"Content-Disposition": f'attachment; filename="{plain}"', "Content-Security-Policy": "sandbox"}
    return Response(file.data, media_type=file.media_type, headers=headers)
