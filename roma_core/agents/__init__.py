"""Answering: agents that return ``T | AgentFailure``, and the orchestrator that runs them."""

__all__: list[str] = []
