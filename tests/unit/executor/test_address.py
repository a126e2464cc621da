"""Addresses of executors: what each means, and what is none."""

from __future__ import annotations

import pytest

from roma_core.errors import ConfigError
from roma_core.executor import open_executor, parse_address


@pytest.mark.parametrize(
    ("text", "kind", "workers", "place"),
    [
        ("local", "local", 0, ""),
        ("local:8", "local", 8, ""),
        ("dask", "dask", 0, ""),
        ("dask:2", "dask", 2, ""),
        ("dask://host:8786", "scheduler", 0, "tcp://host:8786"),
        ("tls://10.0.0.1:8786", "scheduler", 0, "tls://10.0.0.1:8786"),
        ("dask://[::1]:8786", "scheduler", 0, "tcp://[::1]:8786"),
        ("slurm://debug", "slurm", 1, "debug"),
        ("slurm://debug?workers=16&memory=8GB", "slurm", 16, "debug"),
    ],
)
def test_an_address_names_a_place(text: str, kind: str, workers: int, place: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.workers, address.place) == (kind, workers, place)


def test_only_the_plain_address_needs_no_worker() -> None:
    assert parse_address("local").is_in_process
    assert not parse_address("local:1").is_in_process and not parse_address("dask").is_in_process


@pytest.mark.parametrize(
    "text",
    [
        "", "locl", "local:", "local:0", "local:-1", "local:x", "local:9999", "dask:0", "dask://", "dask://host",
        "dask://host:port", "dask://user:key@host:8786", "dask://host:8786/path", "dask://host:99999", "http://host:80",
        "slurm://", "slurm://debug?workers=0", "slurm://debug?gpus=1", "ray://host:1",
    ],
)  # fmt: skip
def test_what_names_no_place_is_refused_with_the_addresses_that_there_are(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_address(text)
    assert text[:12] in refused.value.message


async def test_a_wrong_address_opens_nothing() -> None:
    with pytest.raises(ConfigError, match="local:8"):
        async with open_executor("nowhere"):
            pass
