"""The vocabulary of settings: a ``setting`` is a field that says all about itself, a section holds some of them.

A section belongs to what it configures, and a plug-in brings its own::

    class GitSettings(SettingsSection):
        prefix: ClassVar[str] = "ROMA_GIT_"
        depth: int = setting(1, "Commits that are read.", ge=1, decides_answers=False)

Its field ``depth`` is then ``ROMA_GIT_DEPTH`` in the environment and ``git_depth`` in code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from roma_core.settings.masking import mask_value

PREFIX: Final = "ROMA_"


def setting(
    default: object,
    description: str,
    *,
    env: str | None = None,
    decides_answers: bool = True,
    min_length: int | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """Return a field of a ``SettingsSection``, with its default and what documents and evaluations need to know of it.

    ``env`` is its variable where that is not the section's prefix and the field's name. ``decides_answers=False``
    keeps it out of an evaluation's identity: it changes how fast, how safe or where, never which answer.
    """
    return Field(
        default,
        description=description,
        json_schema_extra={"env": env, "decides_answers": decides_answers},
        min_length=min_length,
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
    )


class SettingsSection(BaseModel):
    """Settings of one part. Frozen; unknown names are refused; lists may be given as words between commas."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    prefix: ClassVar[str] = PREFIX
    """What the environment's names of the fields begin with."""

    @field_validator("*", mode="before")
    @classmethod
    def _split_words(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[info.field_name or ""]
        if field.annotation != tuple[str, ...]:
            return value
        if isinstance(value, str):
            words = (word.strip() for word in value.split(","))
            return tuple(word for word in words if word)
        return tuple(map(str, value)) if isinstance(value, tuple | list) else value

    @field_validator("*", mode="before")
    @classmethod
    def _check_key(cls, value: object, info: ValidationInfo) -> object:
        """Refuse a key that no header of HTTP can hold: it would fail at the first question, in other words."""
        if not isinstance(value, str) or not (info.field_name or "").endswith("_key"):
            return value
        key = value.strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("a key holds letters of ASCII alone, and no line break; copy it again")
        return key

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, mask_value(value)) for name, value in super().__repr_args__())


@dataclass(frozen=True)
class Setting:
    """One setting: where its value stands, what the outside world calls it, and its field."""

    section: str
    """Name of the section in ``Settings``; empty for what stands in ``Settings`` itself."""
    field: str
    env: str
    info: FieldInfo

    @property
    def name(self) -> str:
        """The name in code: that of the environment in lower case, without ``ROMA_``."""
        return self.env.removeprefix(PREFIX).lower()

    @property
    def description(self) -> str:
        return self.info.description or ""

    @property
    def default(self) -> Any:
        return self.info.get_default(call_default_factory=True, validated_data={})

    @property
    def decides_answers(self) -> bool:
        return bool(_extra(self.info)["decides_answers"])

    @property
    def is_secret(self) -> bool:
        """Return whether the value is a key or a password, never to be shown."""
        return SecretStr.__name__ in str(self.info.annotation)

    @property
    def holds_address(self) -> bool:
        """Return whether the value is an address, which may hold credentials."""
        return self.env.endswith(("_URL", "_URI", "_ENDPOINT"))


def settings_of(model: type[BaseModel], section: str, prefix: str) -> Iterator[Setting]:
    """Yield the settings that are fields of ``model``, in their order."""
    for field, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, SettingsSection):
            continue
        env = _extra(info)["env"] or prefix + field.upper()
        yield Setting(section=section, field=field, env=env, info=info)


def _extra(info: FieldInfo) -> dict[str, Any]:
    if isinstance(info.json_schema_extra, dict):
        return {"env": None, "decides_answers": True, **info.json_schema_extra}
    return {"env": None, "decides_answers": True}
