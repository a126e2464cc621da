"""Word, PowerPoint, Excel and RTF. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
