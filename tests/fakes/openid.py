"""An OpenID provider in a thread, honest until a test has it lie in one place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "roma", "a secret:of/the client"
REMOVED = object()
"""Stands for a field that is left out."""


@cache
def make_key(name: str = "provider", size: int = 2048) -> Any:
    """Return an RSA key; the same for the same name, since making one takes long."""
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(size, {"kid": f"{name}-1"})


def encode(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def change(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return fields with some changed, and those that become ``REMOVED`` left out."""
    return {name: value for name, value in {**fields, **changes}.items() if value is not REMOVED}


class OpenIDProvider:
    """Everything that a test may change is an attribute; by default all of it is as it should be."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = make_key()
        self.published: list[dict[str, Any]] = [make_key().as_dict(private=False)]
        self.user: dict[str, Any] = {
            "sub": "248289",
            "email": "anna@example.org",
            "email_verified": True,
            "name": "Anna",
            "groups": ["staff"],
        }
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}
        self.callback: dict[str, Any] = {}
        self.checks_codes = True
        self.is_away = False
        self.seen: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.access_tokens: set[str] = set()

    # --- what it says ---

    def describe(self) -> dict[str, Any]:
        return change(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/end",
                "id_token_signing_alg_values_supported": ["RS256"],
                "authorization_response_iss_parameter_supported": True,
            },
            self.metadata,
        )

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where a browser goes after its user agreed."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        fields = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(change(fields, self.callback))}"

    def redeem(self, sent: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(sent["code"], None) if self.checks_codes else self.codes.get(sent["code"])
        if asked is None:
            return 400, {"error": "invalid_grant"}
        if self.checks_codes:
            user, _, secret = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
            challenge = encode(hashlib.sha256(sent["code_verifier"].encode()).digest())
            if (unquote(user), unquote(secret)) != (CLIENT_ID, CLIENT_SECRET) or asked["client_id"] != CLIENT_ID:
                return 401, {"error": "invalid_client"}
            if challenge != asked["code_challenge"] or sent["redirect_uri"] != asked["redirect_uri"]:
                return 400, {"error": "invalid_grant"}
        access_token = f"access-{sent['code']}"
        self.access_tokens.add(access_token)
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        now = int(time.time())
        claims = {
            **self.user,
            "iss": self.issuer,
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            "at_hash": encode(half),
        }
        tokens = {
            "access_token": access_token,
            "token_type": "Bearer",
            "id_token": self.sign(change(claims, self.claims)),
        }
        return 200, change(tokens, self.tokens)

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a signed ID token; ``none`` and the algorithms of shared secrets are made by hand, as a liar would."""
        header = change({"alg": "RS256", "kid": "provider-1", "typ": "JWT"}, self.header)
        algorithm = header.get("alg", "")
        if algorithm not in {"RS256", "RS512"}:
            covered = f"{encode(header)}.{encode(claims)}"
            secret = self.key if isinstance(self.key, bytes) else b""
            signature = hmac.new(secret, covered.encode(), "sha256").digest() if algorithm.startswith("HS") else b""
            return f"{covered}.{encode(signature)}"
        from joserfc import jws
        from joserfc.jws import JWSRegistry

        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jws.serialize_compact(header, json.dumps(claims).encode(), self.key, registry=registry)

    # --- how it is served ---

    @contextmanager
    def running(self) -> Iterator[OpenIDProvider]:
        """Serve on loopback until the end of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _make_handler(provider: OpenIDProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.seen.append(parts.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if provider.is_away:
                self.send(503, {})
            elif parts.path == "/authorize":
                self.send(303, {}, provider.authorize(asked))
            elif parts.path == "/keys":
                self.send(200, {"keys": provider.published})
            elif parts.path == "/userinfo":
                bearer = self.headers.get("Authorization", "").partition(" ")[2]
                known = bearer in provider.access_tokens
                self.send(200 if known else 401, change(provider.user, provider.userinfo))
            elif parts.path == "/.well-known/openid-configuration":
                self.send(200, provider.describe())
            else:
                self.send(404, {})

        def do_POST(self) -> None:
            provider.seen.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sent = {name: values[0] for name, values in parse_qs(body).items()}
            status, answer = provider.redeem(sent, self.headers.get("Authorization", ""))
            self.send(503 if provider.is_away else status, answer)

        def send(self, status: int, answer: dict[str, Any], location: str = "") -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Be quiet."""

    return Handler
