"""Settings of sign-in by an identity provider: OpenID Connect and SAML 2.0."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import SecretStr

from roma_core.settings.base import SettingsSection, setting

DefaultRole = Literal["", "reader", "contributor", "analyst", "auditor", "admin"]


class ProviderSignInSettings(SettingsSection):
    """What both ways have in common: which of a provider's people are users, and with which roles."""

    label: str = setting("", "Words of the sign-in page's button; empty = by its protocol.", decides_answers=False)
    roles: tuple[str, ...] = setting(
        (), "Comma-separated GROUP=ROLE: the roles that the provider's groups give.", decides_answers=False
    )
    default_role: DefaultRole = setting(
        "", "Role of everyone whom the provider knows; empty = only groups let someone in.", decides_answers=False
    )
    allowed_domains: tuple[str, ...] = setting(
        (), "Domains of the e-mail addresses that are let in; none = any.", decides_answers=False
    )


class OIDCSettings(ProviderSignInSettings):
    """Sign-in by OpenID Connect; it is on when ``issuer`` is set."""

    prefix: ClassVar[str] = "ROMA_OIDC_"

    issuer: str | None = setting(None, "Issuer, exactly as the provider spells it; none = off.", decides_answers=False)
    client_id: str = setting("", "Id under which the provider knows ROMA.", decides_answers=False)
    client_secret: SecretStr | None = setting(
        None, "Secret of the client; none for a public one.", decides_answers=False
    )
    scopes: tuple[str, ...] = setting(
        ("openid", "email", "profile"), "Scopes that are asked for; openid is always.", decides_answers=False
    )
    name_claim: str = setting(
        "email", "Claim whose value becomes the user's name at the first sign-in.", decides_answers=False
    )
    verified_claim: str = setting(
        "email_verified",
        "Claim that says that the e-mail address was verified (Entra ID: xms_edov).",
        decides_answers=False,
    )
    groups_claim: str = setting(
        "groups", "Claim with the user's groups; dots lead into it (realm_access.roles).", decides_answers=False
    )
    leeway_s: int = setting(60, "Seconds by which the clocks may differ.", ge=0, le=300, decides_answers=False)
    timeout_s: float = setting(10.0, "Time one request to the provider may take.", gt=0, decides_answers=False)
    allowed_private_hosts: tuple[str, ...] = setting(
        (), "host or host:port of a provider that is not public, also by http.", decides_answers=False
    )


class SAMLSettings(ProviderSignInSettings):
    """Sign-in by SAML 2.0; it is on when ``idp_entity_id`` is set."""

    prefix: ClassVar[str] = "ROMA_SAML_"

    idp_entity_id: str | None = setting(None, "Entity id of the identity provider; none = off.", decides_answers=False)
    idp_sso_url: str = setting(
        "", "Address of its single sign-on service (HTTP-Redirect binding).", decides_answers=False
    )
    idp_certificates: tuple[str, ...] = setting(
        (), "Comma-separated files (PEM) with the certificates that it signs with.", decides_answers=False
    )
    idp_slo_url: str = setting(
        "",
        "Address of its single logout service (HTTP-Redirect binding); empty = a sign-out ends the sign-in here alone.",
        decides_answers=False,
    )
    sp_certificate: str = setting(
        "", "File (PEM) with the certificate of ROMA's own key; single logout needs both.", decides_answers=False
    )
    sp_key: str = setting(
        "", "File (PEM) with ROMA's private key, which signs what it asks of single logout.", decides_answers=False
    )
    name_attribute: str = setting(
        "", "Attribute whose value becomes the user's name; empty = the NameID.", decides_answers=False
    )
    groups_attribute: str = setting("groups", "Attribute with the user's groups.", decides_answers=False)
