"""Pictures, read by OCR. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
