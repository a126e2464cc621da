"""Office files behind a password: opened when one is given."""

from __future__ import annotations

import io

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office import docx, pptx, xlsx
from roma_core.types import Document, RawDocument

_PARSERS = {media.DOCX: docx.parse, media.PPTX: pptx.parse, media.XLSX: xlsx.parse}


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``ENCRYPTED`` without the right password, and what the parser of the file inside raises."""
    if options.password is None:
        raise ParserError(
            "The file is protected by a password; give the password or save it without one.", ErrorCode.PARSER_ENCRYPTED
        )
    data = decrypt(raw.data, options.password)
    inner = raw.model_copy(update={"content": data, "path": None})
    parser = _PARSERS.get(media.detect(inner))
    if parser is None:
        raise ParserError("No parser reads what is in the protected file.", ErrorCode.PARSER_UNSUPPORTED)
    return parser(inner, options).model_copy(update={"content_sha256": raw.sha256})


def decrypt(data: bytes, password: str) -> bytes:
    """The package inside. Raises ``ENCRYPTED`` for a wrong password, ``MALFORMED`` for a damaged file."""
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError

    plain = io.BytesIO()
    try:
        file = msoffcrypto.OfficeFile(io.BytesIO(data))
        file.load_key(password=password, verify_password=True)
        file.decrypt(plain)
    except (InvalidKeyError, DecryptionError) as error:
        raise ParserError("The password does not open the file; give another.", ErrorCode.PARSER_ENCRYPTED) from error
    except (FileFormatError, OSError, ValueError, KeyError) as error:
        raise ParserError("The protected file is damaged; save it again.") from error
    return plain.getvalue()
