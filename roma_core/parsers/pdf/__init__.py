"""PDF: lines, columns, headings, tables and scans. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
