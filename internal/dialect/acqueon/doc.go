// Package acqueon speaks the "Performance Metrics" WebSocket protocol of
// Acqueon: a client connects with a name and a credential in one Basic header,
// is told its connection id, says which zone it lives in, and is pushed five
// reports from then on.
//
//	client                                     server
//	GET /AEDataTransmitter?name=N  ──────────►
//	Authorization: Basic base64(N:credential)
//	                               ◄────────── 101, OpenID
//	AEPerformanceMetricInitialization ───────►
//	                               ◄────────── AEPerformanceMetricResponse
//	                               ◄────────── reports, every interval
//
// The credential is an OAuth access token or an API key with its secret, in one
// of three forms:
//
//	U1  /AEConsole           raw access token
//	U2  /AEDataTransmitter   base64(access token)
//	U3  /AEDataTransmitter   base64(key:secret)
//
// wire.go has what travels; nothing in it does I/O.
package acqueon
