"""Manuscripts as DOCX, PPTX and XLSX: the least that these formats need, and the properties that people fill in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roma_core.evals.corpus.manuscript import Manuscript, ManuscriptBlock
from roma_core.evals.corpus.packing import number_of, pack, xml

ReadPicture = Callable[[str], bytes]
Parts = dict[str, str | bytes]

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument"
_EMU = 9525
_PICTURE_PX = (480, 300)


def write_docx(manuscript: Manuscript, read_picture: ReadPicture) -> bytes:
    """Return the manuscript as a text document."""
    pictures: list[ManuscriptBlock] = [block for block in manuscript.blocks if block.kind == "figure"]
    body = "".join(_word_block(block, pictures) for block in manuscript.blocks)
    names = (
        f'xmlns:w="{_WORD}" xmlns:r="{_OFFICE}" xmlns:a="{_DRAWING}/main" xmlns:pic="{_DRAWING}/picture" '
        f'xmlns:wp="{_DRAWING}/wordprocessingDrawing"'
    )
    numbering = "".join(
        f'<w:abstractNum w:abstractNumId="{i}"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{mark}"/></w:lvl></w:abstractNum>'
        for i, (form, mark) in enumerate((("bullet", "•"), ("decimal", "%1.")))
    ) + "".join(f'<w:num w:numId="{i + 1}"><w:abstractNumId w:val="{i}"/></w:num>' for i in (0, 1))
    styles = '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    styles += "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{i}"><w:name w:val="heading {i}"/></w:style>' for i in (1, 2, 3)
    )
    others = {f"word/{name}.xml": f"{_TYPES}.wordprocessingml.{name}+xml" for name in ("styles", "numbering")}
    targets = {"rIdS": ("styles", "styles.xml"), "rIdN": ("numbering", "numbering.xml")}
    targets |= {f"rId{i}": ("image", f"media/{i}.png") for i, _ in enumerate(pictures, 1)}
    parts: Parts = {
        **_package(manuscript, "word/document.xml", f"{_TYPES}.wordprocessingml.document.main+xml", others),
        "word/document.xml": f"{_HEAD}<w:document {names}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f'{_HEAD}<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
        "word/numbering.xml": f'{_HEAD}<w:numbering xmlns:w="{_WORD}">{numbering}</w:numbering>',
        "word/_rels/document.xml.rels": _relations(targets),
    }
    for i, block in enumerate(pictures, 1):
        parts[f"word/media/{i}.png"] = read_picture(block.path)
    return pack(parts)


def _word_block(block: ManuscriptBlock, pictures: list[ManuscriptBlock]) -> str:
    if block.kind == "heading":
        return _word_paragraph(block.text, f'<w:pStyle w:val="Heading{block.level}"/>')
    if block.kind == "list":
        number = f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{2 if block.level else 1}"/></w:numPr>'
        return "".join(_word_paragraph(item, number) for item in block.items)
    if block.kind == "table":
        rows = ""
        for row in block.rows:
            rows += "<w:tr>" + "".join(f"<w:tc>{_word_paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>"
        return f"<w:tbl><w:tblGrid>{'<w:gridCol/>' * len(block.rows[0])}</w:tblGrid>{rows}</w:tbl>"
    if block.kind == "figure":
        number = str(pictures.index(block) + 1)
        size = 'cx="{}" cy="{}"'.format(*(side * _EMU for side in _PICTURE_PX))
        shape = (
            f'<pic:pic><pic:nvPicPr><pic:cNvPr id="{number}" name="{number}.png"/><pic:cNvPicPr/></pic:nvPicPr>'
            f'<pic:blipFill><a:blip r:embed="rId{number}"/></pic:blipFill><pic:spPr/></pic:pic>'
        )
        return (
            f'<w:p><w:r><w:drawing><wp:inline><wp:extent {size}/><wp:docPr id="{number}" name="Picture {number}" '
            f'descr="{xml(block.text)}"/><a:graphic><a:graphicData uri="{_DRAWING}/picture">{shape}</a:graphicData>'
            "</a:graphic></wp:inline></w:drawing></w:r></w:p>"
        )
    return _word_paragraph(block.text)


def _word_paragraph(text: str, properties: str = "") -> str:
    return (
        f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{xml(text)}</w:t></w:r></w:p>'
        if text
        else "<w:p/>"
    )


def write_pptx(manuscript: Manuscript, read_picture: ReadPicture) -> bytes:
    """Return the manuscript as slides, one for each heading of level 1."""
    slides = list(manuscript.parts())
    names = f'xmlns:p="{_SLIDES}" xmlns:a="{_DRAWING}/main" xmlns:r="{_OFFICE}"'
    entries = "".join(f'<p:sldId id="{255 + i}" r:id="rId{i}"/>' for i in range(1, len(slides) + 1))
    kind = f"{_TYPES}.presentationml.slide+xml"
    others = {f"ppt/slides/slide{i}.xml": kind for i in range(1, len(slides) + 1)}
    parts: Parts = {
        **_package(manuscript, "ppt/presentation.xml", f"{_TYPES}.presentationml.presentation.main+xml", others),
        "ppt/presentation.xml": f"{_HEAD}<p:presentation {names}><p:sldIdLst>{entries}</p:sldIdLst>"
        '<p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": _relations(
            {f"rId{i}": ("slide", f"slides/slide{i}.xml") for i in range(1, len(slides) + 1)}
        ),
    }
    for number, (title, blocks) in enumerate(slides, 1):
        pictures = [block for block in blocks if block.kind == "figure"]
        tree = _slide_shape(2, "title", [title])
        for place, block in enumerate(blocks, 3):
            tree += _slide_block(place, block, pictures)
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'{_HEAD}<p:sld {names}><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/>'
            f"</p:nvGrpSpPr><p:grpSpPr/>{tree}</p:spTree></p:cSld></p:sld>"
        )
        targets = {f"rId{i}": ("image", f"../media/{number}-{i}.png") for i, _ in enumerate(pictures, 1)}
        parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(targets)
        for i, block in enumerate(pictures, 1):
            parts[f"ppt/media/{number}-{i}.png"] = read_picture(block.path)
    return pack(parts)


def _slide_block(place: int, block: ManuscriptBlock, pictures: list[ManuscriptBlock]) -> str:
    frame = f'<a:off x="685800" y="{1000000 + 400000 * place}"/><a:ext cx="4572000" cy="2857500"/>'
    if block.kind == "table":
        columns = '<a:gridCol w="1500000"/>' * len(block.rows[0])
        rows = ""
        for row in block.rows:
            cells = "".join(f"<a:tc><a:txBody><a:bodyPr/>{_line(cell)}</a:txBody></a:tc>" for cell in row)
            rows += f'<a:tr h="300000">{cells}</a:tr>'
        return (
            f'<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="{place}" name="Table"/><p:cNvGraphicFramePr/><p:nvPr/>'
            f'</p:nvGraphicFramePr><p:xfrm>{frame}</p:xfrm><a:graphic><a:graphicData uri="{_DRAWING}/table"><a:tbl>'
            f"<a:tblGrid>{columns}</a:tblGrid>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
        )
    if block.kind == "figure":
        number = pictures.index(block) + 1
        return (
            f'<p:pic><p:nvPicPr><p:cNvPr id="{place}" name="Picture {number}" descr="{xml(block.text)}"/><p:cNvPicPr/>'
            f'<p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="rId{number}"/></p:blipFill><p:spPr><a:xfrm>{frame}'
            "</a:xfrm></p:spPr></p:pic>"
        )
    return _slide_shape(place, "body", list(block.items) or [block.text])


def _slide_shape(place: int, kind: str, lines: list[str]) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{place}" name="{kind} {place}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/>'
        f"</p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>{''.join(map(_line, lines))}</p:txBody></p:sp>"
    )


def _line(text: str) -> str:
    return f"<a:p><a:r><a:t>{xml(text)}</a:t></a:r></a:p>"


def write_xlsx(manuscript: Manuscript) -> bytes:
    """Return the manuscript's tables as a workbook, one sheet for each heading of level 1."""
    sheets = list(manuscript.parts())
    entries = "".join(
        f'<sheet name="{xml(name)}" sheetId="{i}" r:id="rId{i}"/>' for i, (name, _) in enumerate(sheets, 1)
    )
    kind = f"{_TYPES}.spreadsheetml.worksheet+xml"
    others = {f"xl/worksheets/sheet{i}.xml": kind for i in range(1, len(sheets) + 1)}
    parts: Parts = {
        **_package(manuscript, "xl/workbook.xml", f"{_TYPES}.spreadsheetml.sheet.main+xml", others),
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            {f"rId{i}": ("worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(sheets) + 1)}
        ),
    }
    for number, (_, blocks) in enumerate(sheets, 1):
        rows = [row for block in blocks for row in block.rows]
        data = "".join(f'<row r="{y}">{_sheet_cells(row, y)}</row>' for y, row in enumerate(rows, 1))
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'{_HEAD}<worksheet xmlns="{_SHEETS}"><sheetData>{data}</sheetData></worksheet>'
        )
    return pack(parts)


def _sheet_cells(row: tuple[str, ...], y: int) -> str:
    cells = ""
    for x, value in enumerate(row):
        place = f"{chr(ord('A') + x)}{y}"
        if number_of(value) is not None:
            cells += f'<c r="{place}"><v>{value}</v></c>'
        elif value:
            cells += f'<c r="{place}" t="inlineStr"><is><t>{xml(value)}</t></is></c>'
    return cells


def _package(manuscript: Manuscript, main: str, media_type: str, others: Mapping[str, str] | None = None) -> Parts:
    """Return what every package has: the types of its parts (``others`` by name), its way in, and its properties."""
    day = f"{manuscript.date}T09:00:00Z" if manuscript.date else ""
    stamps = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{day}</dcterms:{name}>' for name in ("created", "modified") if day
    )
    core = (
        f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{xml(manuscript.title)}</dc:title><dc:creator>{xml(manuscript.author)}</dc:creator>"
        f"<dc:language>{xml(manuscript.language)}</dc:language>{stamps}</cp:coreProperties>"
    )
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in (others or {}).items())
    types = (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="png" ContentType="image/png"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="{media_type}"/><Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>'
        f"{overrides}</Types>"
    )
    relations = (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="{main}"/><Relationship Id="rId2" '
        f'Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>'
    )
    return {"[Content_Types].xml": types, "_rels/.rels": relations, "docProps/core.xml": core}


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    lines = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'
