"""Results that travel: documents, passages, answers and evaluation rows in the formats of other tools.

>>> report = await export(settings, Path("out"), to="parquet", what=["passages"])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.exports.formats import FORMATS as FORMATS
    from roma_core.exports.formats import ExportFormat as ExportFormat
    from roma_core.exports.records import ExportReport as ExportReport
    from roma_core.exports.run import export as export
    from roma_core.exports.tables import TABLES as TABLES
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "formats": ("FORMATS", "ExportFormat"),
            "records": ("ExportReport",),
            "run": ("export",),
            "tables": ("TABLES",),
        },
    )

__all__ = ["FORMATS", "TABLES", "ExportFormat", "ExportReport", "export"]
