{
    a: "fd1.session.login",
    v: {
        encryption_user: "your login name (email)",
    }
}
