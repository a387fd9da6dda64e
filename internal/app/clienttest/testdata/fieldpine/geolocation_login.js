let req = {
  a: "fd1.session.login",
  v: {
    apikey: "your-api-key"
  }
}

// If we already have Geo details, send it now
if (sGeo) {
    req.v.geo = {
        latitude: sGeo.latitude,
        longitude: sGeo.longitude,
        accuracy: sGeo.accuracy,
        altitude: sGeo.altitude,
        altitudeAccuracy: sGeo.altitudeAccuracy
    }
}

ServerSocket.send(JSON.stringify(req));
