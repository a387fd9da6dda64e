// Package feedapi lets publishers change the reports of a feed over HTTP.
//
//	PUT    /-/feeds/{feed}/reports/{report}             the whole report
//	PATCH  /-/feeds/{feed}/reports/{report}/rows/{key}  one row
//	DELETE /-/feeds/{feed}/reports/{report}/rows/{key}  one row goes
//	POST   /-/feeds/{feed}/updates                      a stream of updates, one a line
//
// A publisher is authenticated and authorised like anybody: API key, Basic or
// bearer, and then policy is asked for [ActionPublish] on Feed::"{feed}". Every
// exchange is in the index of what is open from its beginning to its end, so a
// body that arrives slowly and a stream that lasts for days both end with the
// right that they were begun with. Before each update the exchange is asked
// whether it may still pass; an update is never applied after the receipt.
//
// The stream answers each line while the next ones are still on their way, so
// a publisher knows what has arrived. It has no end of its own: it lasts until
// the publisher ends its body, pauses for too long, or is ended.
package feedapi
