// Package fieldpine is a client for FD1, the packet protocol of Fieldpine's
// retail platform, over one WebSocket.
//
//	c, err := fieldpine.Dial(ctx, "wss://shop.example/fd1/open_websocket", fieldpine.APIKey("…"), nil)
//	if err != nil { … }
//	defer c.Close()
//	var products struct{ Rows []Product }
//	err = c.Call(ctx, fieldpine.Request{Action: "fd1.products.get_products"}, &products)
//
// A refused login is silence in this protocol, so Dial waits for its context,
// or ten seconds, before it gives up with [ErrNoAnswer].
package fieldpine
