"""Whether a source proves what is said with a citation to it."""

__all__: list[str] = []
