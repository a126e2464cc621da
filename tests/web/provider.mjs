// An OpenID-certified provider for the tests: node provider.mjs CALLBACK SIGNED_OUT; its address is the first line of the output.
import Provider from "oidc-provider";

const [callback, signedOut] = process.argv.slice(2);
const people = { anna: { email: "anna@example.org", email_verified: true, groups: ["staff"] } };

const server = new (await import("node:http")).Server();
server.listen(0, "localhost", () => {
  const issuer = `http://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "roma",
      client_secret: "secret",
      redirect_uris: [callback],
      post_logout_redirect_uris: [signedOut],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["groups"] },
    findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ["only for tests"] },
    pkce: { required: () => true },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
