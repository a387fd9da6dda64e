let TargetUrl = "wss://example.com/fd1/open_websocket";
let MyWebSocket = new WebSocket(TargetUrl);

MyWebSocket.onopen = function () {
    // Socket is open!  Can read/write data

    // But we MUST send a session login packet first
    let myDate = new Date();
    let req = {
        a: "fd1.session.login",
        v: {
            apikey: "my api key",
            tz: myDate.getTimezoneOffset(),
            localtime: myDate.getFullYear() + "-" + (myDate.getMonth() + 1)
                + "-" + myDate.getDate() + " " + myDate.getHours()
                + ":" + myDate.getMinutes() + ":" + myDate.getSeconds()
                + "." + myDate.getMilliseconds()
        }
    }

    MyWebSocket.send(JSON.stringify(req));
}

MyWebSocket.onmessage = function (event) {
    // Fired on every message received from the server.
    // Message payload is in event.data
}

// Fired when a connection with a WebSocket is closed
MyWebSocket.onclose = function (event) {

}

// Fired when a connection with a WebSocket has been closed because of an error
MyWebSocket.onerror = function (event) {
}
