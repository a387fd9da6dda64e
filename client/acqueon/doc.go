// Package acqueon is a client for the Acqueon "Performance Metrics" WebSocket.
//
// A [Client] keeps one socket open: it connects, says in which zone it lives,
// and hands each report to a function. When the socket ends it connects again
// under a new name, at once the first time and then with growing pauses; with
// OAuth it asks for a fresh token before each attempt. It gives up when the server
// does not believe the credential.
//
//	c := acqueon.Client{
//		URL:        "wss://metrics.example.com:4747",
//		User:       "wallboard",
//		Credential: acqueon.APIKey("ak-…", "sk-…"),
//	}
//	err := c.Run(ctx, func(r acqueon.Report) { … })
package acqueon
