package apptest

import (
	"io"
	"net/http"
	"strings"
)

// AnswerShop is a backend of FD1 actions: two products, a long list of them, none, or the
// packet that it was sent.
func AnswerShop(w http.ResponseWriter, r *http.Request) {
	packet, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Gatehouse-Identity") == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/fd1/products/get_products":
		io.WriteString(w, `[{"pid":1,"description":"Tea"},{"pid":2,"description":"Kettle"}]`)
	case "/fd1/products/get_all":
		io.WriteString(w, `[`+strings.Repeat(`{"pid":3},`, 1199)+`{"pid":3}]`)
	case "/fd1/products/missing":
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"title":"no such product"}`)
	default:
		w.Write(packet)
	}
}
