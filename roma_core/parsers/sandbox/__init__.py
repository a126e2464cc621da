"""Worker processes: a hostile file costs one, never the run. Internal: ``roma_core.parsers`` is the door."""

__all__: list[str] = []
