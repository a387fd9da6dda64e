package config

// Issuer is somebody else who issues access tokens for this tenant's callers.
type Issuer struct {
	// The `iss` of its tokens, to the letter.
	Issuer string `yaml:"issuer"`

	// What must be among the `aud` of its tokens: the name it knows this installation
	// by. Tokens for anybody else are refused.
	Audience string `yaml:"audience"`

	// Where its public keys are. They are fetched again every five minutes, and when
	// a token names one that is new.
	KeysURL URL `yaml:"keys_url"`

	// A file with its public keys (a JWK set), in place of keys_url.
	KeysFile Path `yaml:"keys_file"`

	// Algorithms it signs with, like `RS256` or `ES256`. Tokens that name another are
	// refused.
	Algorithms []string `yaml:"algorithms"`

	// Ask it about tokens (RFC 7662): about those that are no JWTs, and about all where
	// there are no keys.
	Introspection *Introspection `yaml:"introspection"`

	// Who its tokens stand for: a principal here, with the roles it has here, like
	// `client/partner`. A claim in braces names one each: `user/{email}`. Somebody who
	// does not exist here is refused.
	Principal string `yaml:"principal"`

	// Its tokens are good for all that the principal may do. By default they are
	// narrowed to their `scope` (or `scp`), and one without may do nothing.
	Unscoped bool `yaml:"unscoped"`
}

// Introspection is where and as whom to ask about a token.
type Introspection struct {
	// The endpoint.
	URL URL `yaml:"url"`

	// Our own id there.
	ClientID string `yaml:"client_id"`

	// File with our own secret there. It is read again for each question.
	ClientSecretFile Path `yaml:"client_secret_file"`

	// Environment variable with our own secret there, in place of the file.
	ClientSecretEnv string `yaml:"client_secret_env"`
}
