{
    a: "fd1.products.get_products",
    rq: 293848
}
