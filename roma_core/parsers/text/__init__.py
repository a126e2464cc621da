"""Plain text and formats that are text. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
