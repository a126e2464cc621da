"""The core import is lean and quiet."""

import os
import subprocess
import sys
from pathlib import Path

import roma_core

HEAVY = {
    "anthropic",
    "bokeh",
    "crawl4ai",
    "deepeval",
    "docx",
    "fastapi",
    "fastembed",
    "googleapiclient",
    "lancedb",
    "lxml",
    "mlflow",
    "numpy",
    "onnxruntime",
    "openai",
    "pandas",
    "panel",
    "pdfplumber",
    "pptx",
    "pyarrow",
    "pypdfium2",
    "python_calamine",
    "sqlalchemy",
    "structlog",
    "tokenizers",
    "trafilatura",
    "unstructured",
}
LOADED = "print(' '.join(m for m in sys.modules if '.' not in m))"


def run(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    return done.stdout.strip()


def test_nouns_and_settings_load_nothing_heavy() -> None:
    assert not HEAVY & set(run(f"import sys, roma_core; roma_core.Query; roma_core.Settings; {LOADED}").split())


def test_import_loads_the_standard_library_alone() -> None:
    """What keeps the import fast on any machine."""
    code = "import sys; before = {*sys.modules}; import roma_core; print(*{*sys.modules} - before)"
    packages = {name.partition(".")[0] for name in run(code).split()}
    assert packages - sys.stdlib_module_names == {"roma_core"}


def test_import_sets_the_quiet_switches_and_respects_the_user() -> None:
    code = "import roma_core, os; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])"
    without = {"ORT_DISABLE_TELEMETRY": "", "DO_NOT_TRACK": "0"}
    clean = f"import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None); {code}"
    assert run(clean, **without) == "1 0"


def test_unknown_name_is_an_attribute_error() -> None:
    assert (
        run(
            "import roma_core\ntry:\n    roma_core.nothing\nexcept AttributeError as e:\n    print('nothing' in str(e))"
        )
        == "True"
    )


def test_every_public_name_resolves() -> None:
    assert all(getattr(roma_core, name) is not None for name in dir(roma_core))


def test_units_are_loaded_early_by_a_server_alone(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from roma_core.app import build_roma
from roma_core.settings import Settings

async def main():
    async with build_roma(Settings({{"workspace": {str(tmp_path)!r}}})) as roma:
        await roma.search("rope bridge")
        searched = "pint" in sys.modules
        await roma.warm()
        print(searched, "pint" in sys.modules)

asyncio.run(main())
"""
    assert run(code) == "False True"
