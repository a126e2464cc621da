"""Answering: the stages of a query, the agents that offer them, and the orchestrator that runs them."""

from roma_core.agents.context import Context, Lookup
from roma_core.agents.pipeline import Pipeline, Recovery, Stage, StageSpec, Then

__all__ = ["Context", "Lookup", "Pipeline", "Recovery", "Stage", "StageSpec", "Then"]
