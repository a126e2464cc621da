"""A token's ingest reaches what ``ROMA_INGEST_ROOTS`` names and nothing else: at the door, and when the job is run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from roma_core.connectors.local.connector import LocalConnector
from roma_core.errors import AccessError, AgentFailure, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import Source

DRIVE = "gdrive://folder/1AbC"


@dataclass(frozen=True)
class Place:
    """``root`` may be ingested; ``secret`` lies beside it; ``out`` inside of it is a link to the latter."""

    top: Path

    @property
    def root(self) -> Path:
        return self.top / "root"

    @property
    def secret(self) -> Path:
        return self.top / "secret"

    def form(self, template: str) -> str:
        name = self.root.name
        return template.format(
            root=self.root, secret=self.secret, top=self.top, name=name, quoted=quote(str(self.root))
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    for folder in ("root/sub", "root/*/sub", "root/%2e%2e", "secret/sub", "ws"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("root/a.md", "root/sub/b.md", "secret/key.md", "secret/sub/b.md", "root-and-more.md", "ws/own.md"):
        (tmp_path / file).write_text(f"# {file}\n\nThe words of {file}.\n")
    (made.root / "out").symlink_to(made.secret)
    (made.root / "up").symlink_to("..")
    (made.root / "key.md").symlink_to(made.secret / "key.md")
    (made.root / "loop").symlink_to("loop")
    (made.root / "inner").symlink_to("sub")
    monkeypatch.setenv("HOME", str(made.secret))
    monkeypatch.chdir(made.secret)
    return made


HOSTILE = [
    # plainly elsewhere
    "{secret}", "{secret}/key.md", "/", "/etc/hostname", "/proc/self/environ", "{top}", ".", "key.md", "./key.md", "*",
    # beside, in letters alone
    "{root}-and-more.md", "{root}/../root-and-more.md", "{root}.", "{top}/ROOT/../secret",
    # up again
    "{root}/..", "{root}/../secret/key.md", "{root}/sub/../../secret", "{root}/./../secret", "{root}//..//secret",
    "{root}/nothing/../../secret/key.md", "../root/../secret/key.md",
    # through links
    "{root}/out", "{root}/out/key.md", "{root}/out/*", "{root}/up/secret", "{root}/key.md", "{root}/inner/../../secret",
    "{root}/out/nothing.md", "{root}/up/*",
    # globs
    "{root}/../*", "{root}/../s*/key.md", "{top}/*", "{top}/r*/a.md", "/*", "**", "{root}/../[s]ecret/*",
    "{root}/*/../../secret/key.md", "{root}/*/../../secret/k*", "{top}/s?cret",
    # homes
    "~", "~/key.md", "~/../secret/key.md", "~root", "~root/.bashrc",
    # file: in every spelling
    "file:{secret}/key.md", "file://{secret}/key.md", "file://localhost{secret}/key.md", "FILE://{secret}/key.md",
    "File:{secret}/key.md", "file:///{secret}/key.md", "file:////{secret}/key.md", "//{secret}/key.md",
    "fIlE://LOCALHOST{secret}/key.md", "file:key.md", "file:.", "file:*",
    # percent, once and more often
    "file://{root}/%2e%2e/secret/key.md", "file://{root}/%2E%2E/secret/key.md", "file://{root}/.%2e/secret",
    "file://{root}%2f..%2fsecret%2fkey.md", "file://{root}/%2e%2e%2fsecret%2f%2a", "file:%2fetc%2fhostname",
    "file://{root}/o%75t/key.md", "file:{root}/sub/%2e%2e/%2e%2e/secret", "file://localhost/%65tc/hostname",
    "file://{root}/../secret?x={root}", "file://{root}/../secret#x",
    # other systems' words
    "\\\\server\\share\\key.md", "C:\\Windows\\win.ini", "{root}\\..\\secret", "..\\root\\a.md", "//server/share/x",
    # ROMA's own
    "{top}/ws", "{top}/ws/own.md", "file://{top}/ws/own.md", "{root}/../ws/own.md",
    # Drive, to the letter
    "gdrive://folder/root", "gdrive://folder/1AbCd", "gdrive://file/1AbC", "gdrive://drive/1AbC", "gdrive://folder/1abc",
    # file systems of others, which no token's roots name
    "ftp://{secret}/key.md", "smb://server/share",
    # longer than a path can be
    "{secret}/" + "x" * 300, "/" + "x/" * 1500, "{root}/" + "../" * 500 + "etc/hostname",
]  # fmt: skip
MEANINGLESS = [
    "file://server/share/x", "file://127.0.0.1{secret}/key.md", "file://[::1]{secret}/key.md", "file://{name}/x",
    "file://localhost:80{secret}/key.md", "file://local%68ost{secret}/key.md", "file:", "file://", "file://localhost",
    "file://{root}/%00/../../secret", "file:%00", "~nobody-has-this-name/x", "GDRIVE://folder/1AbC", "https:{secret}",
    "http:{secret}/key.md", "http:/tmp/key.md", "gdrive:{secret}", "gopher://x/",
    "view-source:file://{secret}/key.md", "jar:file://{secret}/x!/y", " file://{secret}/key.md",
    "gdrive://folder/../1AbC", "gdrive://folder/1AbC/../root", "gdrive://folder/1AbC?x=1", "file+x://{secret}",
    "file://bob@localhost{secret}/key.md",
]  # fmt: skip
GOOD = {
    "{root}": {"a.md", "b.md"}, "{root}/": {"a.md", "b.md"}, "{root}/a.md": {"a.md"}, "{root}/sub": {"b.md"},
    "{root}/sub/../a.md": {"a.md"}, "{root}/./sub/.": {"b.md"}, "{root}/inner": {"b.md"}, "{root}/inner/b.md": {"b.md"},
    "{root}/*.md": {"a.md"}, "{root}/**/*.md": {"a.md", "b.md"}, "{root}/s*/b.md": {"b.md"}, "{root}/[ab].md": {"a.md"},
    "{root}/up/root/a.md": {"a.md"}, "{secret}/../root/a.md": {"a.md"}, "../root/a.md": {"a.md"},
    "~/../root/a.md": {"a.md"}, "file://{root}/a.md": {"a.md"}, "file:{root}/a.md": {"a.md"},
    "FILE://{quoted}/sub": {"b.md"}, "file://localhost{root}/a%2emd": {"a.md"}, "file:///{root}/%61.md": {"a.md"},
    "file://{root}/%2e%2e/root/a.md": {"a.md"}, "file://{root}/%2A.md": {"a.md"}, "//{root}/a.md": {"a.md"},
    "{root}/out/../root/a.md": {"a.md"},
}  # fmt: skip
EMPTY = [
    "{root}/nothing.md", "{root}/%2e%2e/secret/key.md", "file://{root}/%252e%252e/secret/key.md", "{root}/loop",
    "file://{root}/..;/secret", "file://{root}/../secret#/../root", "{root}/*/../x", "{root}/*.nothing",
    "{root}/sub/" + "x" * 300,
]  # fmt: skip
"""Inside, but nothing is there: a name is taken by the letter, decoded once."""


def connector(place: Place) -> LocalConnector:
    return LocalConnector(Settings(workspace=place.top / "ws"))


def confined(place: Place, template: str) -> Source:
    return Source(uri=place.form(template), kind="local", options={"within": (str(place.root), DRIVE)})


async def listed(place: Place, template: str) -> list[Any]:
    return [item async for item in connector(place).list(confined(place, template))]


def local(templates: list[str]) -> list[str]:
    reader = LocalConnector(Settings())
    return [template for template in templates if reader.accepts(template)]


def test_there_are_enough_forms() -> None:
    assert len(HOSTILE) + len(MEANINGLESS) > 100
    assert len({*HOSTILE, *MEANINGLESS, *GOOD, *EMPTY}) == len(HOSTILE) + len(MEANINGLESS) + len(GOOD) + len(EMPTY)


@pytest.mark.parametrize("template", local(HOSTILE))
async def test_the_connector_is_confined_whoever_checked(place: Place, template: str) -> None:
    reader = connector(place)
    with pytest.raises(AccessError) as caught:
        reader.normalise_source(confined(place, template))
    (item,) = await listed(place, template)
    assert isinstance(item, AgentFailure)
    assert (item.code, item.message) == (ErrorCode.ACCESS_FORBIDDEN, caught.value.message)
    assert str(place.top) not in item.model_dump_json(), "it does not say what a link leads to, or what is there"


@pytest.mark.parametrize("template", local(MEANINGLESS))
async def test_what_means_nothing_is_refused_as_that(place: Place, template: str) -> None:
    items = await listed(place, template)
    assert [i.code for i in items if isinstance(i, AgentFailure)] in (
        [ErrorCode.INPUT_INVALID],
        [ErrorCode.ACCESS_FORBIDDEN],  # a relative name, for the connector alone
    )


@pytest.mark.parametrize("template", GOOD)
async def test_what_lies_inside_is_listed_however_it_is_spelt(place: Place, template: str) -> None:
    connector(place).normalise_source(confined(place, template))
    items = await listed(place, template)
    found = {item.title for item in items if not isinstance(item, AgentFailure) and item.skip is None}
    assert found == GOOD[template]
    for item in items:
        if item.skip is None:
            raw = await connector(place).fetch(confined(place, template), item)
            assert not isinstance(raw, AgentFailure)
            assert b"secret" not in raw.data


@pytest.mark.parametrize("template", EMPTY)
async def test_what_is_not_there_is_not_found_and_nothing_outside_is_hinted_at(place: Place, template: str) -> None:
    connector(place).normalise_source(confined(place, template))
    (item,) = await listed(place, template)
    assert isinstance(item, AgentFailure)
    assert item.code is ErrorCode.CONNECTOR_NOT_FOUND
    assert str(place.secret) not in item.message


async def test_a_missing_root_hints_at_nothing_beside_it(place: Place) -> None:
    place.root.rename(place.top / "rooted")
    (item,) = await listed(place, "{root}")
    assert item.code is ErrorCode.CONNECTOR_NOT_FOUND
    assert "rooted" not in item.message


async def test_fetching_is_confined_by_itself(place: Place) -> None:
    """A retry fetches without listing."""
    from roma_core.connectors.base import Listing

    for path, code in (
        (place.secret / "key.md", ErrorCode.ACCESS_FORBIDDEN),
        (place.top / "ws" / "own.md", ErrorCode.ACCESS_FORBIDDEN),
        (place.root / ".." / "secret" / "key.md", ErrorCode.CONNECTOR_BLOCKED),
        (place.root / "out" / "key.md", ErrorCode.CONNECTOR_BLOCKED),
        (place.root / "key.md", ErrorCode.CONNECTOR_BLOCKED),
    ):
        for uri in (path.as_uri(), str(path)):
            failure = await connector(place).fetch(confined(place, "{root}"), Listing(uri=uri))
            assert isinstance(failure, AgentFailure)
            assert failure.code is code


def test_an_empty_list_of_roots_opens_nothing(place: Place) -> None:
    source = Source(uri=str(place.root), kind="local", options={"within": ()})
    with pytest.raises(AccessError):
        connector(place).normalise_source(source)


def test_a_root_in_the_workspace_is_the_operators_word(place: Place) -> None:
    inbox = place.top / "ws" / "inbox"
    inbox.mkdir()
    for within, opened in (((str(inbox),), True), ((str(place.top),), False), ((str(place.top), str(inbox)), True)):
        source = Source(uri=str(inbox), kind="local", options={"within": within})
        if opened:
            connector(place).normalise_source(source)
        else:
            with pytest.raises(AccessError):
                connector(place).normalise_source(source)


@pytest.mark.parametrize("spelt", ["{root}/", "file://{root}", "{secret}/../root", "~/../root", "{root}/inner/.."])
def test_roots_are_read_as_sources_are(place: Place, spelt: str) -> None:
    connector(place).normalise_source(
        Source(uri=str(place.root / "a.md"), kind="local", options={"within": (place.form(spelt),)})
    )


# Over HTTP


@pytest.fixture
async def service(start: Any, place: Place, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.chdir(place.secret)
    async with start(real=True, parser_workers=1, ingest_roots=(place.root, DRIVE)) as made:
        made.client.headers["Authorization"] = f"Bearer {made.tokens.create('t', ['ingest'])[0]}"
        yield made


async def test_every_hostile_form_is_refused_at_the_door(service: Any, place: Place) -> None:
    for templates, codes in ((HOSTILE, {"ERR_ACCESS_FORBIDDEN"}), (MEANINGLESS, {"ERR_INPUT_INVALID"})):
        for template in templates:
            if template.startswith(("{top}/ws", "file://{top}/ws", "{root}/../ws")):
                continue  # the service has a workspace of its own
            body = {"sources": [str(place.root), place.form(template)]}
            reply = await service.client.post("/ingest", json=body)
            assert reply.status_code in {403, 422}, (template, reply.text)
            assert reply.json()["failure"]["code"] in codes, template
    assert (await service.client.get("/ingest")).json() == []


async def ended(service: Any, *sources: object, **body: Any) -> dict[str, Any]:
    made = await service.client.post("/ingest", json={"sources": [str(s) for s in sources], **body})
    assert made.status_code == 202, made.text
    return await outcome(service, made.json()["id"])


async def outcome(service: Any, job: str) -> dict[str, Any]:
    reply = await service.client.get(f"/ingest/{job}", headers={"Accept": "text/event-stream"})
    import json

    found: dict[str, Any] = json.loads(reply.text.rpartition("data: ")[2])
    return found


async def test_legitimate_forms_are_ingested(service: Any, place: Place) -> None:
    job = await ended(service, *(place.form(template) for template in GOOD))
    assert job["state"] == "done"
    assert job["report"]["failures"] == []
    assert {i["uri"].rpartition("/")[2] for i in job["report"]["items"] if i["state"] == "added"} == {"a.md", "b.md"}


async def test_a_link_put_in_place_between_the_door_and_the_run_is_not_followed(
    service: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake = service.app.state.worker.wake

    def swap_first() -> None:
        (place.root / "sub" / "b.md").unlink()
        (place.root / "sub").rmdir()
        (place.root / "sub").symlink_to(place.secret)
        wake()

    monkeypatch.setattr(service.app.state.jobs, "claim", lambda owner: None)
    made = await service.client.post("/ingest", json={"sources": [str(place.root / "sub")]})
    assert made.status_code == 202
    monkeypatch.undo()
    swap_first()
    job = await outcome(service, made.json()["id"])
    assert (job["state"], job["failure"]["code"]) == ("failed", "ERR_ACCESS_FORBIDDEN")
    assert await service.roma.store.counts("default") == (0, 0)


async def test_narrower_roots_hold_for_jobs_that_wait(service: Any, place: Place, monkeypatch: Any) -> None:
    monkeypatch.setattr(service.app.state.jobs, "claim", lambda owner: None)
    made = await service.client.post("/ingest", json={"sources": [str(place.root)]})
    service.roma.settings = service.roma.settings.replace(ingest_roots=())
    monkeypatch.undo()
    job = await outcome(service, made.json()["id"])
    assert (job["state"], job["failure"]["code"]) == ("failed", "ERR_ACCESS_FORBIDDEN")


async def test_a_retry_does_not_reach_what_the_owner_ingested(service: Any, place: Place) -> None:
    """Rows that failed for the operator are not a token's to read, nor theirs to change."""
    (place.secret / "bad.md").write_bytes(b"%PDF-1.7 but no more of it")
    report = await service.roma.ingest(place.secret)
    assert report.counts()["failed"] == 1
    reply = await service.client.post("/ingest", json={"sources": [str(place.secret)], "retry_failed": True})
    assert reply.status_code == 403
    before = await service.roma.ingestion.ledger_items()
    for within in ((), (str(place.root),)):
        named = await service.roma.ingest(place.secret, retry_failed=True, within=within)
        assert ([f.code for f in named.failures], named.items) == ([ErrorCode.ACCESS_FORBIDDEN], ())
        every = await service.roma.ingest(retry_failed=True, within=within)
        assert [item.code for item in every.items] == ["ERR_ACCESS_FORBIDDEN"]
    assert await service.roma.ingestion.ledger_items() == before


async def test_what_is_not_confined_is_not(start: Any, place: Place) -> None:
    """Whoever sits at the machine and has made no token may read what they can read anyhow."""
    async with start(real=True, parser_workers=1) as service:
        job = await ended(service, place.secret / "key.md", "file:key.md", "~/sub")
        assert job["state"] == "done"
        assert len(job["report"]["items"]) == 2


@pytest.mark.parametrize("source", [DRIVE, f"{DRIVE}/"])
async def test_a_named_drive_address_is_let_in(service: Any, source: str) -> None:
    assert (await service.client.post("/ingest", json={"sources": [source]})).status_code == 202


async def test_drive_listing_is_confined_by_itself(tmp_path: Path) -> None:
    from roma_core.connectors.gdrive.connector import GDriveConnector

    reader = GDriveConnector(Settings(workspace=tmp_path))
    source = Source(uri="gdrive://folder/other", kind="gdrive", options={"within": (DRIVE, "/srv")})
    (item,) = [item async for item in reader.list(source)]
    assert isinstance(item, AgentFailure)
    assert item.code is ErrorCode.ACCESS_FORBIDDEN
    with pytest.raises(InputError):
        reader.normalise_source(Source(uri="gdrive://x", kind="gdrive"))
    reader.normalise_source(Source(uri=DRIVE, kind="gdrive", options={"within": (f"{DRIVE}/",)}))


async def test_the_web_is_let_in_and_guarded_when_it_is_read(service: Any) -> None:
    job = await ended(service, "http://169.254.169.254/latest/meta-data/", "HTTP://127.0.0.1/")
    assert (job["state"], job["failure"]["code"]) == ("failed", "ERR_CONNECTOR_BLOCKED")
    assert job["report"]["failures_total"] == 2
