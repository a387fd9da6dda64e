ServerSocket = new WebSocket("wss://your-server.com/fd1/open_websocket");
