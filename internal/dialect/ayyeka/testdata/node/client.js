// Gets a token in each way that a general OAuth library knows, reads
// /v2.0/site with it, and prints one JSON line per way.
// simple-oauth2's "strict" form-encodes the halves of Basic as RFC 6749 wants;
// "loose" sends them raw as Ayyeka's own samples do.
import { ClientCredentials } from 'simple-oauth2';

const base = process.env.BASE_URL;
const ways = [
  { authorizationMethod: 'header', credentialsEncodingMode: 'strict' },
  { authorizationMethod: 'header', credentialsEncodingMode: 'loose' },
  { authorizationMethod: 'body' },
];

for (const options of ways) {
  const client = new ClientCredentials({
    client: { id: process.env.KEY, secret: process.env.SECRET },
    auth: { tokenHost: base, tokenPath: '/auth/token' },
    options,
  });
  const { token } = await client.getToken({});
  // The type says JWT; the token travels as Bearer.
  const answer = await fetch(`${base}/v2.0/site`, { headers: { Authorization: `Bearer ${token.access_token}` } });
  console.log(JSON.stringify({
    way: options,
    token_type: token.token_type,
    expires_in: token.expires_in,
    status: answer.status,
    sites: (await answer.json()).length,
  }));
}
