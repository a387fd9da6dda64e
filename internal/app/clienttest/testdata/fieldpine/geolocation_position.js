var sGeo = null;
var ServerSocket = null;

// We ask for Geo co-ords if we can, as these help position what devices can be used
if (navigator.geolocation) navigator.geolocation.getCurrentPosition(function (pos) {
    sGeo = pos.coords;

    if ((ServerSocket != null) && (ServerSocket.readyState == 1)) {
        // Geo details have arrived, socket is already connected, so send using session set option
        let req = {
          a: "fd1.session.set_option",
          v: {
            geo: {
                latitude: sGeo.latitude,
                longitude: sGeo.longitude,
                accuracy: sGeo.accuracy,
                altitude: sGeo.altitude,
                altitudeAccuracy: sGeo.altitudeAccuracy
            }
          }
        }

        ServerSocket.send(JSON.stringify(req));
    }
});
