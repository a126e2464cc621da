"""A folder with a file of every format: each is ingested, and a question that only it answers cites it at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.types import TailorOutput
from tests.fixtures import make_office as office
from tests.fixtures import make_ole, make_pdf
from tests.fixtures.make_xlsb import xlsb

pytestmark = pytest.mark.slow

FACTS: dict[str, tuple[str, str, str]] = {
    "ferry.pdf": ("When does the ferry to Saltholm leave?", "leaves at six twenty", "page 7"),
    "keeper.docx": ("What is the name of the lighthouse keeper?", "Barnabas Quill", "“The keeper”"),
    "talk.pptx": ("How many euros is the budget of the otter survey?", "9300 euros", "slide 3, notes"),
    "herons.xlsx": ("How many heron pairs does Alder Mere have?", "4711", "sheet “Q2”, row 14"),
    "eels.xls": ("How many eels were counted in Tarn Beck?", "831", "sheet “Eels”, row 3"),
    "toads.xlsb": ("How many toads were counted in Mill Pond?", "672", "sheet “Toads”, row 3"),
    "newts.ods": ("How many newts were counted in Quarry Pool?", "559", "sheet “Newts”, row 2"),
    "bats.csv": ("How many bats were counted in Abbey Cave?", "238", "row 3"),
    "owls.tsv": ("How many owls were counted in Pine Wood?", "147", "row 2"),
    "book.epub": ("Which colour was the coat of the smuggler?", "vermilion", "chapter “IV”"),
    "bridge.html": ("Who designed the iron bridge?", "Henrietta Vane", "“The bridge”"),
    "market.mhtml": ("On which weekday is the wool market held?", "Thursday", "“The market”"),
    "orchard.txt": ("Which apples grow in the bishop's orchard?", "Ribston", ""),
    "bell.md": ("What does the great bell weigh?", "three tonnes", "“The bell”"),
    "dyke.rst": ("Who repaired the northern dyke?", "Lambert Oakes", "“The dyke”"),
    "factory.rtf": ("Who was the heir of the glove factory?", "Tabitha Roke", ""),
    "quarry.odt": ("What stone is cut in the quarry?", "green slate", "“The quarry”"),
    "lecture.odp": ("How deep is the drowned valley?", "forty fathoms", "slide 1"),
    "leak.eml": ("Where was the leak in the reservoir found?", "sluice gate", "message “Leak”"),
    "pump.msg": ("Who replaced the drainage pump?", "Olga Weir", "message “Pump”"),
    "model.ipynb": ("Which tide gauge was left out of the model?", "Skerry Point", "“Tide model”"),
    "talk.srt": ("What does the captain call his dog?", "Marlinspike", ""),
}
"""Question, words that the answer must hold, and the end of the citation's place, by file."""


def ferry() -> bytes:
    def draw(canvas: make_pdf.Canvas) -> None:
        for page in range(1, 10):
            fact = "The ferry to Saltholm leaves at six twenty every morning from the eastern quay."
            other = f"Page {page} speaks of ropes, nets and the price of tar."
            canvas.drawString(72, 700, fact if page == 7 else other)
            canvas.showPage()

    return make_pdf.drawn(draw)


def heading(text: str) -> str:
    return office.p(text, '<w:outlineLvl w:val="0"/>')


def slides() -> bytes:
    notes = ["Nothing.", "Nothing.", "The budget of the otter survey is 9300 euros.", "Nothing."]
    return office.pptx(
        [{"tree": office.shape(f"Topic {n}", "title"), "notes": text} for n, text in enumerate(notes, 1)]
    )


def chapters() -> bytes:
    names = ["I", "II", "III", "IV"]
    bodies = {f"{name}.xhtml": f"<h1>{name}</h1><p>Chapter {name} tells of fog and tides.</p>" for name in names}
    bodies["IV.xhtml"] = "<h1>IV</h1><p>The coat of the smuggler was vermilion, as the widow remembered.</p>"
    return office.epub(bodies, "".join(f'<li><a href="{name}.xhtml">{name}</a></li>' for name in names))


def counts(what: str, place: str, number: str) -> list[list[str]]:
    return [["Place", what], ["Long Water", "12"], [place, number]]


def newts() -> bytes:
    cell, row = "<table:table-cell><text:p>{}</text:p></table:table-cell>", "<table:table-row>{}</table:table-row>"
    rows = (["Place", "Newts"], ["Quarry Pool", "559"])
    body = "".join(row.format("".join(map(cell.format, line))) for line in rows)
    return office.odf("spreadsheet", f'<table:table table:name="Newts">{body}</table:table>')


def eels() -> bytes:
    rows = enumerate(counts("Eels", "Tarn Beck", "831"))
    return make_ole.xls({"Eels": [(y, x, value, 0) for y, row in rows for x, value in enumerate(row)]})


def market(page: str) -> bytes:
    head = 'MIME-Version: 1.0\nFrom: <Saved>\nContent-Type: multipart/related; type="text/html"; boundary=b\n\n--b\n'
    part = "Content-Type: text/html; charset=utf-8\nContent-Location: https://a.example/m\n\n"
    words = page.format("The market", "The wool market is held every Thursday behind the church.")
    return f"{head}{part}{words}\n--b--\n".encode()


def notebook() -> bytes:
    text = "# Tide model\n\nThe tide gauge of Skerry Point was left out of the model."
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text}]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def files() -> dict[str, bytes]:
    """One file a format, of our own words."""
    herons: list[list[object]] = [["Place", "Heron pairs"], *([f"Pool {n}", 100 + n] for n in range(2, 14))]
    page = "<html><head><title>T</title></head><body><h1>{}</h1><p>{}</p></body></html>"
    keeper = office.p("The name of the lighthouse keeper was Barnabas Quill.")
    valley = "<draw:text-box><text:p>The drowned valley is forty fathoms deep.</text:p></draw:text-box>"
    lecture = f'<draw:page draw:name="p1"><draw:frame>{valley}</draw:frame></draw:page>'
    slate = '<text:h text:outline-level="1">The quarry</text:h><text:p>In the quarry green slate is cut.</text:p>'
    note = rb"{\footnote The heir of the glove factory was Tabitha Roke of Little Eaves.}"
    pump = "The drainage pump was replaced by Olga Weir."
    leak = "The leak in the reservoir was found at the sluice gate."
    return {
        "ferry.pdf": ferry(),
        "keeper.docx": office.docx(heading("The keeper") + keeper),
        "talk.pptx": slides(),
        "herons.xlsx": office.xlsx({"Q2": office.rows(*herons, ["Alder Mere", 4711])}),
        "eels.xls": eels(),
        "toads.xlsb": xlsb({"Toads": counts("Toads", "Mill Pond", "672")}),
        "newts.ods": newts(),
        "bats.csv": b"Place,Bats\nLong Water,12\nAbbey Cave,238\n",
        "owls.tsv": b"Place\tOwls\nPine Wood\t147\n",
        "book.epub": chapters(),
        "bridge.html": page.format("The bridge", "The iron bridge was designed by Henrietta Vane.").encode(),
        "market.mhtml": market(page),
        "orchard.txt": b"In the bishop's orchard grow Ribston apples and one old quince.\n",
        "bell.md": b"# The bell\n\nThe great bell weighs three tonnes.\n",
        "dyke.rst": b"The dyke\n========\n\nThe northern dyke was repaired by Lambert Oakes.\n",
        "factory.rtf": rb"{\rtf1\ansi \pard The glove factory made gloves for the navy." + note + rb"\par}",
        "quarry.odt": office.odf("text", slate),
        "lecture.odp": office.odf("presentation", lecture),
        "leak.eml": f"From: Ada <a@a.example>\nSubject: Leak\nDate: Tue, 3 Mar 2026 10:00:00 GMT\n\n{leak}\n".encode(),
        "pump.msg": make_ole.msg({0x001A: "IPM.Note", 0x0037: "Pump", 0x0C1A: "Ada", 0x1000: pump}),
        "model.ipynb": notebook(),
        "talk.srt": b"1\n00:00:01,000 --> 00:00:04,000\nThe captain calls his dog Marlinspike.\n",
    }


async def test_a_question_of_each_format_is_answered_from_its_place(workspace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in files().items():
        (folder / name).write_bytes(data)
    assert set(files()) == set(FACTS)
    async with build_roma(Settings.load(workspace=workspace, query_timeout_s=120)) as roma:
        report = await roma.ingest(folder)
        assert report.counts()["added"] == len(FACTS), [item for item in report.items if item.state != "added"]
        wrong: list[str] = []
        for name, (question, words, place) in FACTS.items():
            output = await roma.query(question)
            assert isinstance(output, TailorOutput), output
            cited = next((c for c in output.citations if c.uri.endswith(name) and words in c.quote), None)
            if cited is None or not cited.place.endswith(place):
                wrong.append(f"{name}: {output.answer!r} {[(c.uri, c.place) for c in output.citations]}")
                continue
            document = await roma.store.document("default", cited.document_id)
            assert document is not None and document.text[cited.start : cited.end] == cited.quote
        assert not wrong, "\n".join(wrong)
