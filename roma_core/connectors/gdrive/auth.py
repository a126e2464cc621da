"""Credentials for Google Drive: a service account, or a user's token from the installed-app OAuth flow."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from roma_core.environment import describe_unreadable
from roma_core.errors import ConfigError, ConnectorError, ErrorCode
from roma_core.settings import Settings
from roma_core.workspace import Workspace, private_folder

SCOPES: Final = ("https://www.googleapis.com/auth/drive.readonly",)
HELP: Final = "see docs/08_GDRIVE_SETUP.md, or run `roma auth gdrive`"


class DriveCredentials:
    """Credentials of google-auth and, for a user's token, the file that a refreshed one is saved back to."""

    def __init__(self, google: Any, token_file: Path | None) -> None:
        self.google = google
        self._token_file = token_file
        self._saved = google.token

    def save_if_refreshed(self) -> None:
        """Write the token file again when Google gave a new access token (or rotated the refresh token)."""
        if self._token_file is not None and self.google.token not in {None, self._saved}:
            write_secret(self._token_file, self.google.to_json())
            self._saved = self.google.token


def token_path(settings: Settings) -> Path:
    """Return the file in which ``roma auth gdrive`` keeps the user's token."""
    return Workspace.of(settings).gdrive_token


def load_credentials(settings: Settings) -> DriveCredentials:
    """From ``ROMA_GDRIVE_CREDENTIALS`` (a path or the JSON itself), else the saved user token.

    Raises ``ConnectorError`` (auth) when there is none, ``ConfigError`` when it cannot be read. No message quotes it.
    """
    info, path = _read(settings)
    kind = info.get("type") or ("authorized_user" if "refresh_token" in info else None)
    try:
        if kind == "service_account":
            from google.oauth2 import service_account

            google = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
            return DriveCredentials(google, None)
        if kind == "authorized_user":
            from google.oauth2 import credentials

            google = credentials.Credentials.from_authorized_user_info(info, SCOPES)
            return DriveCredentials(google.with_token_uri(info.get("token_uri", google.token_uri)), path)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"The Drive credentials are incomplete ({type(error).__name__}); {HELP}.") from None
    raise ConfigError(f"The Drive credentials are neither a service account nor a user's token; {HELP}.")


def authorize(settings: Settings, client_secrets: Path, *, port: int = 0, open_browser: bool = True) -> Path:
    """Ask the user for consent in the browser and save the token with mode 0600; returns its file.

    ``client_secrets`` is the OAuth client of type "Desktop app" from the Google Cloud console. Blocks until the user
    has answered. Raises ``ConfigError`` for another kind of file, ``ConnectorError`` (auth) when consent was refused.
    """
    from google_auth_oauthlib.flow import InstalledAppFlow
    from oauthlib.oauth2 import OAuth2Error

    info = _parse(_read_file(client_secrets))
    if "installed" not in info:
        raise ConfigError(f"This is not an OAuth client of a desktop app; {HELP}.")
    flow = InstalledAppFlow.from_client_config(info, scopes=SCOPES)
    try:
        google = flow.run_local_server(port=port, open_browser=open_browser, timeout_seconds=300)
    except (OAuth2Error, AttributeError) as error:  # the flow trips over its own None when no answer came
        raise ConnectorError(
            f"Google gave no token ({type(error).__name__}); try again.", ErrorCode.CONNECTOR_AUTH
        ) from None
    path = token_path(settings)
    write_secret(path, google.to_json())
    return path


def write_secret(path: Path, text: str) -> None:
    """Replace ``path`` in one step; at no moment is it readable by others or half written."""
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _read(settings: Settings) -> tuple[dict[str, Any], Path | None]:
    if settings.gdrive.credentials is None:
        path = token_path(settings)
        if not path.exists():
            raise ConnectorError(f"There are no Drive credentials; {HELP}.", ErrorCode.CONNECTOR_AUTH)
        return _parse(_read_file(path)), path
    given = settings.gdrive.credentials.get_secret_value().strip()
    if given.startswith("{"):
        return _parse(given), None
    path = Path(given).expanduser()
    return _parse(_read_file(path)), path


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The Drive credentials file cannot be read ({describe_unreadable(error)}): {path.name}; {HELP}."
        ) from None


def _parse(text: str) -> dict[str, Any]:
    try:
        info = json.loads(text)
    except json.JSONDecodeError:
        raise ConfigError(f"The Drive credentials are no valid JSON; {HELP}.") from None
    if not isinstance(info, dict):
        raise ConfigError(f"The Drive credentials are no JSON object; {HELP}.")
    return info
