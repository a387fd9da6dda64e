{
    a: "fd1.session.login",
    v: {
        token: "my token",
    }
}
