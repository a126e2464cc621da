"""Answering: agents that return ``T | AgentFailure``, and the orchestrator that runs them. The entry is ``build``."""
