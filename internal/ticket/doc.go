// Package ticket has the one-shot tickets with which a browser opens a socket.
//
// A page cannot set headers on a WebSocket, and a credential in a URL ends up in
// histories and logs. So whoever has a credential shows it once, over HTTP, and
// gets a ticket: a random text that opens one socket, once, within seconds, from
// pages of one origin. That it can be read from a URL afterwards is worth
// nothing.
//
// Only a digest of the text is kept. A ticket is used up by the first who shows
// it, wherever he comes from, by one conditional statement, so that of two who
// show it at once, on whichever nodes, one gets it.
//
// A ticket is no credential: it stands for its maker, with the grounds that his
// identity rested on. Whoever opens it has his maker believed anew
// (authn.Resume), so a right that went between making and using is gone, and the
// socket ends with the rights of its maker.
package ticket
