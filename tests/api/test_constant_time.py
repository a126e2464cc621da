"""How long a comparison takes must not tell how much of a secret was right."""

from __future__ import annotations

import ast
import hmac
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import roma_core.api
from roma_core.api import tokens
from roma_core.api.tokens import TokenStore

SECRET = re.compile(r"secret|token|digest|hash|password|signature|bearer|authorization|api_?key", re.IGNORECASE)
PUBLIC = {"token_id", "TokenScope"}
"""Names that sound like secrets and are none."""


def words(node: ast.expr) -> Iterator[str]:
    """The names and keys that an operand is read from: ``row["hash"]`` gives row and hash."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            yield str(part.slice.value)


def leaky(source: str) -> list[int]:
    """Lines that compare a secret by ``==`` or ``!=``."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and any(SECRET.search(w) and w not in PUBLIC for side in (node.left, *node.comparators) for w in words(side))
    ]


@pytest.mark.parametrize(
    "line",
    ["secret == given", "given != row['hash']", "self.token_hash == x", "a == hexdigest()", "x == f(password)"],
)
def test_the_scan_sees_it(line: str) -> None:
    assert leaky(f"if {line}:\n    pass") == [1]


def test_no_secret_is_compared_by_equality() -> None:
    folder = Path(roma_core.api.__file__).parent
    files = sorted(folder.rglob("*.py"))
    assert folder / "tokens.py" in files
    found = {path.name: lines for path in files if (lines := leaky(path.read_text(encoding="utf-8")))}
    assert found == {}


@pytest.mark.parametrize("kind", ["right", "wrong secret", "unknown id", "no token at all", "empty"])
def test_every_token_is_hashed_and_compared_once_in_full(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store = TokenStore(workspace)
    secret, token = store.create("n")
    given = {
        "right": secret,
        "wrong secret": f"roma_{token.id}_{'x' * 43}",
        "unknown id": f"roma_{'0' * 12}_{'x' * 43}",
        "no token at all": "Bearer",
        "empty": "",
    }[kind]
    hashed: list[str] = []
    compared: list[tuple[int, int]] = []
    plain_hash, plain_compare = tokens._hash, hmac.compare_digest

    def hash_it(text: str) -> str:
        hashed.append(text)
        return plain_hash(text)

    def compare(a: Any, b: Any) -> bool:
        compared.append((len(a), len(b)))
        return plain_compare(a, b)

    monkeypatch.setattr(tokens, "_hash", hash_it)
    monkeypatch.setattr("hmac.compare_digest", compare)
    assert (store.verify(given) is not None) is (kind == "right")
    assert hashed[0] == given
    assert compared == [(64, 64)]
