"""ROMA beside other frameworks: each in an environment and a process of its own. Run by ``make bench-peers``."""
