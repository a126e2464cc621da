"""``python -m bench [NAME...]``: run benchmarks, each a module here with ``main()``; by default the quick ones."""

import importlib
import sys
import time

QUICK = ("core", "query", "retrieval", "citations", "llm_overhead")


def main() -> int:
    for name in sys.argv[1:] or QUICK:
        start = time.perf_counter()
        print(f"--- {name}", file=sys.stderr, flush=True)
        importlib.import_module(f"bench.{name}").main()
        print(f"--- {name} took {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
