{
    a: "fd1.session.login",
    v: {
        apikey: "my api key",
    }
}
