package gateidentity_test

import (
	"fmt"
	"log"
	"net/http"

	"gatehouse.dev/gateidentity"
)

// A backend that greets whoever Gatehouse says is calling.
func Example() {
	verifier, err := gateidentity.New(gateidentity.Config{
		JWKSURL:  "https://gate.example/.well-known/gatehouse-identity.json",
		Issuer:   "https://gate.example",
		Audience: "hello", // the upstream's name in the gate's configuration
	})
	if err != nil {
		log.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := gateidentity.FromContext(r.Context())
		fmt.Fprintf(w, "Hello %s of %s\n", id.Name, id.TenantName)
		if id.HasRole("operator") {
			fmt.Fprintln(w, "You may restart things.")
		}
	})
	http.Handle("/", verifier.Middleware(hello))
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {}) // needs no identity
	log.Fatal(http.ListenAndServe("127.0.0.1:9000", nil))
}
