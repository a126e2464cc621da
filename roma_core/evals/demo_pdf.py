"""A PDF to look at without a download: two pages with what a parser has to find. The same bytes at every run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

NAME = "harbour-report.pdf"
SUMMARY = (
    "The harbour of the small island was built in three summers by people who had never seen a crane. They carried "
    "the stones in baskets, and every stone was given the name of the family that had brought it down the hill. "
    "This report tells what the harbour handled in the last four years and what its upkeep will cost."
)
LIGHT = (
    "Later a lighthouse was added on the northern cliff. Its keeper wrote down the weather four times a day for forty "
    "years, and the notebooks are now the longest unbroken series of observations on that coast. They show that "
    "north-westerly gales have become rarer since the breakwater was raised, while fog has not changed at all."
)
COSTS = (
    "The breakwater needs 1 200 new stones. Two thirds of the sum are granted; the rest is to come from harbour dues, "
    "which have not been raised since the mill was closed. A ferry now pays 85 euros a landing, a fishing boat nothing."
)
POINTS = ("Landings have doubled in four years.", "The mill quay is unsafe in gales.", "Dues cover half of the upkeep.")
LANDINGS = (
    ("Year", "Ferries", "Fishing boats", "Yachts", "Dues EUR"),
    ("2019", "212", "1 480", "96", "18 020"),
    ("2020", "148", "1 512", "61", "12 580"),
    ("2021", "301", "1 398", "143", "25 585"),
    ("2022", "424", "1 377", "188", "36 040"),
)


def write(folder: Path) -> Path:
    """Put the report into ``folder``; left alone when it is there already. Needs reportlab (extra ``ui``)."""
    path, data = folder / NAME, report()
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
    return path


def report() -> bytes:
    """Headings, prose, a list, a ruled table and a picture with their captions; two columns; a running foot."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import (
        BalancedColumns,
        Image,
        ListFlowable,
        PageBreak,
        Paragraph,
        SimpleDocTemplate,
        Spacer,
        Table,
    )

    styles = getSampleStyleSheet()
    plain, title, part = styles["BodyText"], styles["Title"], styles["Heading2"]
    ruled = Table(
        LANDINGS, style=[("GRID", (0, 0), (-1, -1), 0.5, "black"), ("BACKGROUND", (0, 0), (-1, 0), "#dbeafe")]
    )
    flow = [
        Paragraph("The harbour in four years", title),
        Paragraph(SUMMARY, plain),
        Paragraph("1 What we found", part),
        ListFlowable([Paragraph(point, plain) for point in POINTS], bulletType="bullet"),
        Paragraph("2 Landings", part),
        Paragraph("Every vessel that ties up is counted by the harbour master.", plain),
        Spacer(1, 8),
        ruled,
        Spacer(1, 4),
        Paragraph("Table 1. Landings and harbour dues by year.", plain),
        Spacer(1, 12),
        Image(_chart(), 300, 150),
        Paragraph("Figure 1. Ferries a year, 2019 to 2022.", plain),
        PageBreak(),
        Paragraph("3 Weather and upkeep", part),
        BalancedColumns([Paragraph(LIGHT, plain), Paragraph(COSTS, plain), Paragraph(LIGHT, plain)], nCols=2),
    ]
    buffer = io.BytesIO()
    file = SimpleDocTemplate(buffer, invariant=1, title="The harbour in four years", author="The harbour master")
    file.build(flow, onFirstPage=_foot, onLaterPages=_foot)
    return buffer.getvalue()


def _foot(canvas: Any, file: Any) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.drawString(72, 40, f"Harbour office · report · page {file.page}")


def _chart() -> io.BytesIO:
    """The ferries' column as bars."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (600, 300), "white")
    draw = ImageDraw.Draw(image)
    counts = [int(row[1]) for row in LANDINGS[1:]]
    for i, count in enumerate(counts):
        draw.rectangle((60 + 130 * i, 270 - count // 2, 150 + 130 * i, 270), fill="#2563eb")
        draw.text((92 + 130 * i, 275), LANDINGS[i + 1][0], fill="black")
    draw.line((40, 270, 580, 270), fill="black", width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    buffer.seek(0)
    return buffer
