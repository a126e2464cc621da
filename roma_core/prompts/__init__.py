"""Prompts as files with a version, and the versions that a workspace keeps of each."""

from roma_core.prompts.file import Prompt, load_prompt, load_prompts
from roma_core.prompts.library import PromptLibrary, PromptVersion

__all__ = ["Prompt", "PromptLibrary", "PromptVersion", "load_prompt", "load_prompts"]
