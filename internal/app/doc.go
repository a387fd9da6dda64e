// Package app puts Gatehouse together. It is the only place, besides the
// commands, that knows every part: which store the configuration asks for, which
// dialects a tenant speaks, which handler stands on which listener. Reading
// [New] from top to bottom is reading what the program consists of.
//
// A server runs in three steps. [New] opens and checks everything and binds the
// listeners, so that whatever is wrong is wrong before the first request. Run
// serves until its context ends. Then it drains: not ready any more, listeners
// closed, requests in progress given their time, sockets told to come back
// elsewhere, and at last what holds state is closed in the reverse order of its
// opening.
package app
