// Package logging is how Gatehouse talks about itself: structured lines through
// log/slog, readable text on a terminal and JSON elsewhere, and one line per
// request.
//
// The line of a request is gathered, not assembled: the listener begins an
// [Event], puts it into the context, and whoever learns something worth knowing
// (the tenant, the route, who it was) writes it there. At the end the line goes
// out once. It holds ids and never what a caller presented: the path stands
// without its query, because keys travel there.
package logging
