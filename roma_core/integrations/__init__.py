"""ROMA as a part of other frameworks: retrievers for LangChain, LlamaIndex and Haystack.

Each is in a module of its own, which needs that framework's package and nothing else::

    from roma_core.integrations.langchain import RomaLangChainRetriever
"""

__all__: list[str] = []
