// Package upstream reaches backends. A [Pool] is one backend under its name,
// at one address or several that serve alike.
//
// An address that cannot be connected to is avoided for a while, longer each
// time; active checks, when configured, find out before a request does. When
// every address is in trouble all are tried, because a wrong suspicion must not
// be an outage. A request moves on to another address only if nothing of it has
// been sent, so no backend ever sees one twice.
package upstream
