"""Single sign-on: people whom an identity provider vouches for become users with roles and groups."""

from __future__ import annotations

from roma_core.api.sso.routes import router
from roma_core.api.sso.service import SignInWay, SingleSignOn

__all__ = ["SignInWay", "SingleSignOn", "router"]
