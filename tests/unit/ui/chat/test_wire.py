"""Types of the page's modules: those of the console's OpenAPI document of now."""

from __future__ import annotations

import pytest

from bench.console_types import COMMAND, TYPES, generate_types, make_header, write_document
from roma_core.api.console import describe_console


def test_the_types_belong_to_the_document_of_now() -> None:
    assert TYPES.read_text().startswith(make_header(write_document())), "run `make web-types`"


@pytest.mark.skipif(not COMMAND.exists(), reason="no npm modules (make web)")
def test_the_types_are_what_the_generator_makes() -> None:
    assert TYPES.read_text() == generate_types()


def test_every_request_of_the_page_is_described_with_its_answer() -> None:
    document = describe_console()
    plain = {"/console/api/documents/{document_id}/original", "/console/api/documents/{document_id}/pages/{number}.png"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            codes = set(operation["responses"]) - {"422"}
            answer = operation["responses"][min(codes)]
            has_shape = bool(answer.get("content", {}).get("application/json", {}).get("schema"))
            is_bare = codes <= {"204"} or path in plain or path.endswith("/export") or path.endswith("/stop")
            assert has_shape or is_bare, (method, path)
