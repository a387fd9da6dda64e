package sample

import (
	"encoding/json"
	"io"
	"net/http"
)

// product is something the sample shop sells.
type product struct {
	PID   int     `json:"pid"`
	Name  string  `json:"description"`
	Price float64 `json:"price"`
}

var products = []product{
	{101, "Flat white", 4.8}, {102, "Long black", 4.2}, {103, "Cheese scone", 5.5}, {104, "Feijoa jam, 300 g", 9.9},
}

// saleLine is a line of a sale.
type saleLine struct {
	PID int     `json:"pid"`
	Qty float64 `json:"qty"`
}

// sale is one sale of the sample shop.
type sale struct {
	SID   string     `json:"sid"`
	At    string     `json:"completed"`
	Total float64    `json:"total"`
	Lines []saleLine `json:"lines"`
}

var sales = map[string]sale{
	"7741": {"7741", "2026-01-05T09:03:07Z", 10.3, []saleLine{{101, 1}, {103, 1}}},
	"7742": {"7742", "2026-01-05T09:11:52Z", 4.2, []saleLine{{102, 1}}},
}

// shop answers FD1 packets as a gate passes them on.
func shop(mux *http.ServeMux) {
	mux.HandleFunc("POST /fd1/products/get_products", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, products)
	})
	mux.HandleFunc("POST /fd1/sales/get_sale", getSale)
}

func getSale(w http.ResponseWriter, r *http.Request) {
	var packet struct {
		Key any `json:"k"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(body, &packet) != nil {
		answer(w, http.StatusBadRequest, problem{"not a packet", requestID()})
		return
	}
	key, _ := packet.Key.(string)
	found, ok := sales[key]
	if !ok {
		notFound(w, "no such sale")
		return
	}
	answer(w, http.StatusOK, found)
}
