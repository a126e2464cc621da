"""Files that people brought to the console, as they lie in a workspace.

Those from before tenants had folders stay among the uploads of the installation: the id of a document follows from the
address of its file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from roma_core.connectors.local.paths import is_local, path_of
from roma_core.errors import InputError
from roma_core.types import digest
from roma_core.workspace import Workspace, list_tenant_folders


def find_upload(places: Iterable[Workspace], uri: str) -> Path | None:
    """Return the file in the uploads of ``places`` that an address names; None for any other address.

    >>> find_upload([Workspace(Path("/srv/roma"))], "file:///srv/roma/uploads/9b1d/report.pdf")
    PosixPath('/srv/roma/uploads/9b1d/report.pdf')
    """
    if not is_local(uri):
        return None
    try:
        path = path_of(uri)
    except InputError:
        return None
    is_upload = any(_find_person_folder(place, path) is not None for place in places)
    return path if is_upload else None


def list_uploads_of_before(root: Workspace, tenant: str) -> tuple[Path, ...]:
    """Return the folders of a tenant's people among the uploads that all tenants once shared, by name."""
    from roma_core.ingestion.ledger import Ledger

    own = root.of_tenant(tenant)
    if own == root or not root.uploads.is_dir() or not own.ledger.exists():
        return ()
    folders: set[Path] = set()
    for item in Ledger(own.ledger).items(tenant):
        path = find_upload([root], item.uri)
        folder = None if path is None else _find_person_folder(root, path)
        if folder is not None:
            folders.add(folder)
    return tuple(sorted(folder for folder in folders if folder.is_dir()))


def list_uploads_of_others(root: Workspace) -> tuple[Path, ...]:
    """Return the folders among the uploads of the home tenant that are those of other tenants."""
    return tuple(folder for tenant in list_tenant_folders(root) for folder in list_uploads_of_before(root, tenant))


def name_person_folder(tenant: str, person: str) -> str:
    """Return the name of the folder of a person's uploads."""
    return digest(tenant, person)[:16]


def list_uploads(root: Workspace, tenant: str) -> list[Path]:
    """Return the files that a tenant's people brought, by path."""
    own = root.of_tenant(tenant)
    others = list_uploads_of_others(root) if own == root else ()
    folders = [folder for folder in own.uploads.glob("*") if folder.is_dir() and folder not in others]
    folders += list_uploads_of_before(root, tenant)
    return sorted(path for folder in folders for path in folder.iterdir() if path.is_file())


def _find_person_folder(place: Workspace, path: Path) -> Path | None:
    """Return the folder of the person who brought the file ``path``; None for a file that nobody brought."""
    if ".." in path.parts:
        return None
    for uploads in {place.uploads.absolute(), place.uploads.resolve()}:
        if path.is_relative_to(uploads) and len(path.relative_to(uploads).parts) > 1:
            return place.uploads / path.relative_to(uploads).parts[0]
    return None
