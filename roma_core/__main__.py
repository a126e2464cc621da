"""``python -m roma_core`` is ``roma``."""

import sys

from roma_core.cli import main

sys.exit(main())
