package ayyeka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"gatehouse.dev/client/ayyeka"
)

// server answers as the real one does, in a few lines.
func server() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/token", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"access_token":"eyJh.eyJh.c2ln","token_type":"JWT","expires_in":3600}`)
	})
	mux.HandleFunc("GET /v2.0/site", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[{"id":3401,"creation_date":"2025-11-02T09:14:05Z","display_name":"Pump house 4","status":"Active","longitude":"34.7818","latitude":"32.0853"}]`)
	})
	mux.HandleFunc("GET /v2.0/stream", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"message": "this role may not read streams", "request_id": "k3f09xqa"}`)
	})
	return httptest.NewServer(mux)
}

func Example() {
	service := server() // in your program: the vendor's cloud, or your own
	defer service.Close()

	client, err := ayyeka.New(ayyeka.Config{
		BaseURL: service.URL,
		Key:     "0011AABB2233CCDD4455EEFF66778899",
		Secret:  "RXhhbXBsZVNlY3JldEV4YW1wbGVTZWNyZXRFeGFtcGw=",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	sites, err := client.Sites(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, site := range sites {
		fmt.Println(site.ID, site.DisplayName, site.Status)
	}

	// Anything else goes through Get, or through client.HTTP().
	var streams []map[string]any
	err = client.Get(ctx, "/stream", nil, &streams)
	fmt.Println(err)
	fmt.Println(errors.Is(err, ayyeka.ErrForbidden))
	// Output:
	// 3401 Pump house 4 Active
	// ayyeka: GET /v2.0/stream: 403 this role may not read streams, request k3f09xqa
	// true
}
