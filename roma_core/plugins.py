"""Plug-ins: the specs that packages declare as entry points, ROMA's own parts among them.

A package adds a part by declaring a spec under one of the ``GROUPS`` in its own ``pyproject.toml``::

    [project.entry-points."roma.connectors"]
    git = "roma_git:SPEC"

and ROMA reads all of one group by its kind::

    specs = load_specs("roma.connectors", ConnectorSpec)
    specs.require("git").make(settings)

The name of the entry point is the name that users type. A plug-in that cannot be loaded is a ``BrokenPlugin``: a value
for the health report, never a crash. A module that declares a spec imports no heavy library; ``make`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar

from roma_core.errors import AgentFailure, ConfigError, guarded_call, suggest_name

T = TypeVar("T")

GROUPS: Final = (
    "roma.connectors",
    "roma.parsers",
    "roma.backends",
    "roma.providers",
    "roma.embedders",
    "roma.image_embedders",
    "roma.rerankers",
    "roma.measures",
    "roma.stages",
)
OWN_DISTRIBUTION: Final = "roma-core"
OWN_GROUPS: Final = frozenset(
    {
        "roma.connectors",
        "roma.parsers",
        "roma.backends",
        "roma.providers",
        "roma.embedders",
        "roma.image_embedders",
        "roma.rerankers",
    }
)
"""Groups in which ROMA declares parts of its own; an installation without them was made from another revision."""


@dataclass(frozen=True)
class BrokenPlugin:
    """A plug-in that is declared but cannot be used. ``reason`` is a sentence that says what to do."""

    name: str
    group: str
    reason: str


@dataclass(frozen=True)
class DeclaredPlugin:
    """A part that an installed package declares; ``reason`` says why it cannot be used, empty when it can."""

    group: str
    name: str
    package: str
    version: str
    reason: str = ""


@dataclass(frozen=True)
class Specs(Mapping[str, T], Generic[T]):
    """The specs of one group by name, ROMA's own first; ``broken`` holds the plug-ins that could not be loaded."""

    group: str
    by_name: Mapping[str, T]
    broken: tuple[BrokenPlugin, ...] = ()

    def __getitem__(self, name: str) -> T:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def require(self, name: str) -> T:
        """Return the spec called ``name``. Raises ``ConfigError`` that names the known ones and the nearest."""
        if name in self.by_name:
            return self.by_name[name]
        for plugin in self.broken:
            if plugin.name == name:
                raise ConfigError(f"The plug-in {name!r} of {self.group} cannot be used: {plugin.reason}")
        noun = self.group.removeprefix("roma.").removesuffix("s")
        raise ConfigError(f"There is no {noun} {name!r}. {suggest_name(name, self.by_name)}")


@cache
def load_specs(group: str, kind: type[T]) -> Specs[T]:
    """Return every spec of ``group``, each an instance of ``kind``. Read once; ``forget_specs`` reads again.

    Raises ``ConfigError`` when the installed package does not declare ROMA's own parts.
    """
    by_name: dict[str, T] = {}
    owners: dict[str, str] = {}
    broken: list[BrokenPlugin] = []
    for entry in _find_declared(group, broken):
        owner = _distribution_of(entry)
        if entry.name in by_name:
            reason = f"{owner} declares a name that {owners[entry.name]} has already; remove one of the two packages."
            broken.append(BrokenPlugin(entry.name, group, reason))
            continue
        spec = guarded_call("plugins", entry.load)
        if isinstance(spec, AgentFailure):
            broken.append(BrokenPlugin(entry.name, group, _reason(spec, entry)))
        elif not isinstance(spec, kind):
            reason = f"{entry.value} of {owner} holds {type(spec).__name__}, not {kind.__name__}; update the package."
            broken.append(BrokenPlugin(entry.name, group, reason))
        else:
            by_name[entry.name] = spec
            owners[entry.name] = owner
    return Specs(group, by_name, tuple(broken))


def declared_names(group: str) -> tuple[str, ...]:
    """Return the names that packages declare in ``group``, without importing anything of theirs. Read once."""
    return tuple(dict.fromkeys(entry.name for entry in _find_declared(group, [])))


def list_declared(broken: Iterable[BrokenPlugin]) -> list[DeclaredPlugin]:
    """Return the parts that packages declare in each group, ROMA's own first, with why the ``broken`` ones are."""
    reasons = {(plugin.group, plugin.name): plugin.reason for plugin in broken}
    plugins = []
    for group in GROUPS:
        for entry in _find_declared(group, []):
            version = entry.dist.version if entry.dist is not None else ""
            reason = reasons.get((group, entry.name), "")
            plugins.append(DeclaredPlugin(group, entry.name, _distribution_of(entry), version, reason))
    return plugins


def forget_specs() -> None:
    """Forget what was read, so that packages installed since are found."""
    load_specs.cache_clear()
    _list_entries.cache_clear()


def _find_declared(group: str, broken: list[BrokenPlugin]) -> tuple[EntryPoint, ...]:
    """Return the entry points of ``group``: ROMA's own first, then by distribution and name."""
    if group not in GROUPS:
        raise ValueError(f"{group!r} is no group of plug-ins. {suggest_name(group, GROUPS)}")
    found = guarded_call("plugins", lambda: _list_entries(group))
    if isinstance(found, AgentFailure):
        broken.append(BrokenPlugin("*", group, f"the installed packages cannot be listed: {found.message}"))
        return ()
    if group in OWN_GROUPS and not any(_distribution_of(entry) == OWN_DISTRIBUTION for entry in found[:1]):
        raise ConfigError(
            f"The installed {OWN_DISTRIBUTION} declares no {group}: it was installed from another revision than the "
            "one that runs. Install it again (pip install -e . in a checkout, or make)."
        )
    return found


@cache
def _list_entries(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points in their order. Read once: it opens files of each installed package."""

    def order(entry: EntryPoint) -> tuple[bool, str, str]:
        owner = _distribution_of(entry)
        return owner != OWN_DISTRIBUTION, owner, entry.name

    return tuple(sorted(entry_points(group=group), key=order))


def _distribution_of(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unnamed package"


def _reason(failure: AgentFailure, entry: EntryPoint) -> str:
    """Return why a plug-in could not be loaded; the text of its own exception may hold anything and is left out."""
    owner = _distribution_of(entry)
    exception = failure.details.get("exception")
    if exception is None:
        return f"{owner} cannot be loaded: {failure.message}"
    return f"{owner} cannot be loaded: {exception} in {failure.details['where']}; update or remove the package."
