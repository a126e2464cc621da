"""OpenDocument text, sheets and slides. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
