"""A provider that lies in one place signs nobody in; an honest one does."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("joserfc", reason="needs roma-core[sso]")

from roma_core.api.accounts import ExternalIdentity
from roma_core.api.sso.oidc import OIDCProvider
from roma_core.api.sso.pending import PendingSignIn
from roma_core.errors import AccessError, ConfigError, ConnectorError, RomaError
from roma_core.settings import OIDCSettings
from tests.fakes.openid import CLIENT_ID, CLIENT_SECRET, REMOVED, OpenIDProvider, encode, make_key

NOW = int(time.time())
PUBLIC_URL = "https://roma.example.org"


@pytest.fixture
def provider() -> Iterator[OpenIDProvider]:
    with OpenIDProvider().running() as running:
        yield running


def make_settings(provider: OpenIDProvider, **changes: Any) -> OIDCSettings:
    host = urlsplit(provider.issuer).netloc
    fields = {
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "allowed_private_hosts": (host,),
        "roles": ("staff=reader",),
    }
    return OIDCSettings(**{**fields, **changes})


@pytest.fixture
async def client(provider: OpenIDProvider) -> AsyncIterator[OIDCProvider]:
    made = OIDCProvider(make_settings(provider), PUBLIC_URL)
    yield made
    await made.close()


def make_pending(state: str = "state-1") -> PendingSignIn:
    return PendingSignIn(
        way="oidc",
        state=state,
        browser="b",
        nonce=f"nonce of {state}",
        verifier=f"verifier-of-{state}-".ljust(64, "v"),
        place="/console",
    )


async def sign_in(client: OIDCProvider, provider: OpenIDProvider) -> ExternalIdentity:
    """Go to the provider and back, as a browser would."""
    pending = make_pending()
    address = await client.begin(pending)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    back = urlsplit(provider.authorize(asked))
    answered = {name: values[0] for name, values in parse_qs(back.query).items()}
    return await client.complete(answered, pending)


def use_foreign_key(provider: OpenIDProvider) -> None:
    provider.key = make_key("mallory")


def use_foreign_key_and_id(provider: OpenIDProvider) -> None:
    provider.key, provider.header = make_key("mallory"), {"kid": "mallory-1"}


def embed_key(provider: OpenIDProvider) -> None:
    use_foreign_key(provider)
    provider.header = {"jwk": make_key("mallory").as_dict(private=False)}


def embed_key_without_id(provider: OpenIDProvider) -> None:
    use_foreign_key(provider)
    provider.header = {"kid": REMOVED, "jwk": make_key("mallory").as_dict(private=False)}


def name_keys_elsewhere(provider: OpenIDProvider) -> None:
    use_foreign_key(provider)
    provider.header = {"kid": "mallory-1", "jku": f"{provider.issuer}/mallory-keys"}


def use_public_key_as_secret(provider: OpenIDProvider) -> None:
    provider.header, provider.key = {"alg": "HS256"}, make_key().as_pem(private=False)


def use_modulus_as_secret(provider: OpenIDProvider) -> None:
    modulus = make_key().as_dict(private=False)["n"]
    provider.header = {"alg": "HS256"}
    provider.key = base64.urlsafe_b64decode(modulus + "==")


def use_client_secret_as_key(provider: OpenIDProvider) -> None:
    provider.header, provider.key = {"alg": "HS256"}, CLIENT_SECRET.encode()


def publish_shared_secret(provider: OpenIDProvider) -> None:
    provider.published.append({"kty": "oct", "kid": "shared", "k": encode(b"k" * 32)})
    provider.metadata = {"id_token_signing_alg_values_supported": ["RS256", "HS256"]}
    provider.header, provider.key = {"alg": "HS256", "kid": "shared"}, b"k" * 32


def publish_weak_key(provider: OpenIDProvider) -> None:
    provider.key = make_key("weak", 1024)
    provider.published, provider.header = [provider.key.as_dict(private=False)], {"kid": "weak-1"}


def publish_key_for_encryption(provider: OpenIDProvider) -> None:
    provider.published = [{**make_key().as_dict(private=False), "use": "enc"}]


def publish_key_of_other_algorithm(provider: OpenIDProvider) -> None:
    provider.published = [{**make_key().as_dict(private=False), "alg": "RS512"}]


def publish_two_keys_of_one_id(provider: OpenIDProvider) -> None:
    provider.published = [
        {**make_key(name).as_dict(private=False), "kid": "provider-1"} for name in ("mallory", "provider")
    ]


def tamper_with_payload(provider: OpenIDProvider) -> None:
    honest = provider.sign

    def sign(claims: dict[str, Any]) -> str:
        header, _, signature = honest(claims).split(".")
        return f"{header}.{encode({**claims, 'sub': 'admin'})}.{signature}"

    provider.sign = sign  # type: ignore[method-assign]


def strip_signature(provider: OpenIDProvider) -> None:
    honest = provider.sign
    provider.sign = lambda claims: honest(claims).rpartition(".")[0] + "."  # type: ignore[method-assign]


def send_five_parts(provider: OpenIDProvider) -> None:
    honest = provider.sign
    provider.sign = lambda claims: honest(claims) + ".x.y"  # type: ignore[method-assign]


def put(**changes: dict[str, Any]) -> Callable[[OpenIDProvider], None]:
    """Return a lie that sets attributes of the provider."""

    def lie(provider: OpenIDProvider) -> None:
        for name, value in changes.items():
            setattr(provider, name, value)

    return lie


def claims(**changed: Any) -> Callable[[OpenIDProvider], None]:
    return put(claims=changed)


def of_issuer(change: Callable[[str], str]) -> Callable[[OpenIDProvider], None]:
    def lie(provider: OpenIDProvider) -> None:
        provider.claims = {"iss": change(provider.issuer)}

    return lie


OTHER_HASH = encode(hashlib.sha256(b"another token").digest()[:16])
LIES: dict[str, Callable[[OpenIDProvider], None]] = {
    "no algorithm": put(header={"alg": "none"}),
    "no algorithm, in other letters": put(header={"alg": "nOnE"}),
    "no algorithm at all": put(header={"alg": "RS999"}),
    "the public key as a shared secret": use_public_key_as_secret,
    "the modulus as a shared secret": use_modulus_as_secret,
    "the client's secret as the key": use_client_secret_as_key,
    "a published shared secret": publish_shared_secret,
    "another key under the right id": use_foreign_key,
    "another key and id": use_foreign_key_and_id,
    "an embedded key": embed_key,
    "an embedded key without an id": embed_key_without_id,
    "an address of other keys": name_keys_elsewhere,
    "a published key that is too short": publish_weak_key,
    "a key that is for encryption": publish_key_for_encryption,
    "a key that is for another algorithm": publish_key_of_other_algorithm,
    "two keys of one id": publish_two_keys_of_one_id,
    "an algorithm that the provider does not list": put(header={"alg": "RS512"}),
    "a critical extension": put(header={"crit": ["b64"], "b64": True}),
    "an access token in place of an ID token": put(header={"typ": "at+jwt"}),
    "a logout token in place of an ID token": put(header={"typ": "logout+jwt"}),
    "a changed payload": tamper_with_payload,
    "no signature": strip_signature,
    "five parts": send_five_parts,
    "another audience": claims(aud="other"),
    "a list of other audiences": claims(aud=["other", "third"]),
    "no audience": claims(aud=REMOVED),
    "an empty list of audiences": claims(aud=[]),
    "several audiences without a party": claims(aud=[CLIENT_ID, "other"]),
    "several audiences of another party": claims(aud=[CLIENT_ID, "other"], azp="other"),
    "another party": claims(azp="other"),
    "an audience that is no text": claims(aud={CLIENT_ID: 1}),
    "another issuer": claims(iss="https://evil.example"),
    "no issuer": claims(iss=REMOVED),
    "an issuer with a slash more": of_issuer(lambda issuer: f"{issuer}/"),
    "an issuer in other letters": of_issuer(str.upper),
    "another nonce": claims(nonce="another"),
    "no nonce": claims(nonce=REMOVED),
    "an empty nonce": claims(nonce=""),
    "an expired token": claims(iat=NOW - 1000, exp=NOW - 500),
    "a token that never expires": claims(exp=REMOVED),
    "an end that is text": claims(exp=str(NOW + 300)),
    "an end that is no number": claims(exp=float("inf")),
    "a token of the future": claims(iat=NOW + 86_400, exp=NOW + 90_000),
    "a token of no time": claims(iat=REMOVED),
    "a token that does not count yet": claims(nbf=NOW + 86_400),
    "nobody": claims(sub=REMOVED),
    "an empty subject": claims(sub=""),
    "a subject that is a number": claims(sub=248289),
    "a subject of a thousand letters": claims(sub="x" * 1000),
    "another person's details": put(userinfo={"sub": "1"}),
    "details of nobody": put(userinfo={"sub": REMOVED}),
    "an access token of another answer": claims(at_hash=OTHER_HASH),
    "an unverified address": put(claims={"email_verified": False}),
    "an address of which nothing is said": put(claims={"email_verified": REMOVED}),
    "an address that is verified in words of no": put(claims={"email_verified": "false"}),
    "an address verified elsewhere": put(claims={"email": "boss@example.org", "email_verified": REMOVED}),
    "two addresses in one": put(claims={"email": "anna@example.org@evil.example"}),
    "a list of addresses": put(claims={"email": ["anna@example.org"]}),
    "no address": put(claims={"email": REMOVED}, userinfo={"email": REMOVED}),
    "groups that are no list": put(claims={"groups": {"staff": True}}),
    "groups of other things": put(claims={"groups": ["staff", 7]}),
    "groups that were left out": put(
        claims={"groups": REMOVED, "_claim_names": {"groups": "src1"}}, userinfo={"groups": REMOVED}
    ),
    "a token of another type": put(tokens={"token_type": "mac"}),
    "no ID token": put(tokens={"id_token": REMOVED}),
    "an ID token that is no text": put(tokens={"id_token": ["x"]}),
    "no access token": put(tokens={"access_token": REMOVED}),
    "no issuer in the answer, against its promise": put(callback={"iss": REMOVED}),
    "another issuer in the answer": put(callback={"iss": "https://evil.example"}),
    "an error": put(callback={"code": REMOVED, "error": "access_denied"}),
    "no code": put(callback={"code": REMOVED}),
    "a code that it never gave": put(callback={"code": "made-up"}),
}


async def test_an_honest_provider_signs_in_by_the_code_with_a_challenge(
    client: OIDCProvider, provider: OpenIDProvider
) -> None:
    person = await sign_in(client, provider)
    assert (person.provider, person.subject, person.name) == (provider.issuer, "248289", "anna@example.org")
    assert person.groups == ("staff",)
    assert client.policy.find_roles(person.groups) == ("reader",)


@pytest.mark.parametrize("lie", list(LIES))
async def test_a_lie_signs_nobody_in(client: OIDCProvider, provider: OpenIDProvider, lie: str) -> None:
    LIES[lie](provider)
    with pytest.raises(RomaError) as refused:
        await sign_in(client, provider)
    assert not isinstance(refused.value, ConnectorError)
    assert "anna" not in refused.value.message


async def test_a_client_that_stole_a_code_cannot_use_it(client: OIDCProvider, provider: OpenIDProvider) -> None:
    stolen, mine = make_pending("stolen"), make_pending("mine")
    address = await client.begin(stolen)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    provider.authorize(asked)
    answer = {"code": "code-0", "state": "mine", "iss": provider.issuer}
    with pytest.raises(AccessError, match="invalid_grant"):
        await client.complete(answer, mine)
    provider.authorize(asked)
    provider.checks_codes = False  # nor where the provider forgets the challenge
    with pytest.raises(AccessError, match="nonce"):
        await client.complete(answer, mine)


async def test_a_code_of_another_client_signs_nobody_in(client: OIDCProvider, provider: OpenIDProvider) -> None:
    provider.authorize({"client_id": "other", "state": "s", "nonce": "nonce of state-1", "redirect_uri": PUBLIC_URL})
    provider.checks_codes = False
    await client.begin(make_pending())
    with pytest.raises(AccessError, match="aud"):
        await client.complete({"code": "code-0", "state": "s", "iss": provider.issuer}, make_pending())


async def test_a_provider_that_is_another_than_was_set_up_is_not_asked(provider: OpenIDProvider) -> None:
    provider.metadata = {"issuer": "https://evil.example"}
    client = OIDCProvider(make_settings(provider), PUBLIC_URL)
    with pytest.raises(ConfigError, match="ROMA_OIDC_ISSUER"):
        await client.begin(make_pending())
    await client.close()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"])
@pytest.mark.parametrize("address", ["http://evil.example/x", "javascript:alert(1)", 7, "//evil.example"])
async def test_addresses_without_encryption_are_refused(provider: OpenIDProvider, name: str, address: object) -> None:
    provider.metadata = {name: address}
    client = OIDCProvider(make_settings(provider), PUBLIC_URL)
    with pytest.raises(ConfigError, match=name):
        await client.begin(make_pending())
    await client.close()


async def test_a_private_provider_is_asked_only_where_the_settings_allow_it(provider: OpenIDProvider) -> None:
    with pytest.raises(ConfigError, match="ALLOWED_PRIVATE_HOSTS"):
        OIDCProvider(make_settings(provider, allowed_private_hosts=()), PUBLIC_URL)
    inside = OIDCProvider(make_settings(provider, issuer="https://127.0.0.1:1", allowed_private_hosts=()), PUBLIC_URL)
    with pytest.raises(ConfigError, match="not public"):
        await inside.begin(make_pending())
    await inside.close()


async def test_new_keys_are_fetched_once_for_an_id_that_is_not_known(
    client: OIDCProvider, provider: OpenIDProvider
) -> None:
    await sign_in(client, provider)
    provider.key, provider.header = make_key("next"), {"kid": "next-1"}
    provider.published.append(make_key("next").as_dict(private=False))
    await sign_in(client, provider)
    await sign_in(client, provider)
    assert provider.seen.count("/keys") == 2


async def test_made_up_ids_of_keys_do_not_have_the_keys_fetched_without_end(
    client: OIDCProvider, provider: OpenIDProvider
) -> None:
    for number in range(20):
        provider.header = {"kid": f"made-up-{number}"}
        with pytest.raises(AccessError):
            await sign_in(client, provider)
    assert provider.seen.count("/keys") <= 6


async def test_clocks_may_differ_by_the_leeway_and_no_more(client: OIDCProvider, provider: OpenIDProvider) -> None:
    now = int(time.time())
    provider.claims = {"iat": now + 40, "nbf": now + 40}
    await sign_in(client, provider)
    provider.claims = {"iat": now - 400, "exp": now - 90}
    with pytest.raises(AccessError, match="exp"):
        await sign_in(client, provider)


async def test_a_provider_that_is_unavailable_is_named_with_what_to_do(
    client: OIDCProvider, provider: OpenIDProvider
) -> None:
    provider.is_away = True
    with pytest.raises(ConnectorError, match="try again in a moment") as failed:
        await sign_in(client, provider)
    assert failed.value.recoverable
    provider.is_away = False
    await sign_in(client, provider)


async def test_a_wrong_secret_of_the_client_names_its_settings(provider: OpenIDProvider) -> None:
    client = OIDCProvider(make_settings(provider, client_secret="wrong"), PUBLIC_URL)
    with pytest.raises(ConfigError, match="ROMA_OIDC_CLIENT_SECRET"):
        await sign_in(client, provider)
    await client.close()


async def test_other_claims_can_name_the_user_and_its_groups(provider: OpenIDProvider) -> None:
    provider.user |= {"preferred_username": "anna.k", "realm_access": {"roles": ["curators"]}, "email_verified": False}
    settings = make_settings(provider, name_claim="preferred_username", groups_claim="realm_access.roles")
    client = OIDCProvider(settings, PUBLIC_URL)
    person = await sign_in(client, provider)
    assert (person.name, person.groups) == ("anna.k", ("curators",))
    assert client.policy.find_roles(person.groups) == ()
    await client.close()


@pytest.mark.parametrize(
    ("address", "is_let_in"), [("anna@example.org", True), ("anna@example.org.evil.example", False)]
)
async def test_only_addresses_of_the_allowed_domains_are_let_in(
    provider: OpenIDProvider, address: str, is_let_in: bool
) -> None:
    provider.user["email"] = address
    client = OIDCProvider(make_settings(provider, allowed_domains=("Example.org",)), PUBLIC_URL)
    if is_let_in:
        assert (await sign_in(client, provider)).name == address
    else:
        with pytest.raises(AccessError, match="not let in"):
            await sign_in(client, provider)
    await client.close()


@pytest.mark.parametrize("rule", ["staff", "=reader", "staff=king", "staff=reader=king"])
def test_a_rule_of_roles_that_cannot_be_read_stops_the_start(provider: OpenIDProvider, rule: str) -> None:
    with pytest.raises(ConfigError, match="ROMA_OIDC_ROLES"):
        OIDCProvider(make_settings(provider, roles=(rule,)), PUBLIC_URL)
