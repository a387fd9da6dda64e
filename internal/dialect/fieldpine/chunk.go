package fieldpine

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A response in chunks (mo:"chunk") has up to so many rows, and about so many
// bytes, in each. The last one is marked, since no member of the protocol says
// how many there are.
const (
	chunkRows  = 500
	chunkBytes = 128 << 10
)

// reply sends the response to p, in chunks when it is a list and they were
// asked for.
func (c *conn) reply(p packet, r reply) {
	if mode, _ := scalar(p.Mode); mode != "chunk" || r.Error != nil {
		c.send(r)
		return
	}
	var list struct {
		Rows []jsontext.Value `json:"rows"`
	}
	if json.Unmarshal(r.Data, &list) != nil || list.Rows == nil {
		r.Chunk = 1
		c.send(r)
		return
	}
	for n := 1; ; n++ {
		rows := cut(&list.Rows)
		last := len(list.Rows) == 0
		r.Chunk, r.Data = n, chunkData(rows, last)
		c.send(r)
		if last {
			return
		}
	}
}

// cut takes the rows of one chunk off the front.
func cut(rows *[]jsontext.Value) []jsontext.Value {
	n, size := 0, 0
	for n < len(*rows) && n < chunkRows && (n == 0 || size+len((*rows)[n]) <= chunkBytes) {
		size += len((*rows)[n])
		n++
	}
	chunk := (*rows)[:n]
	*rows = (*rows)[n:]
	return chunk
}

func chunkData(rows []jsontext.Value, last bool) jsontext.Value {
	data := jsontext.Value(`{"rows":[`)
	for i, row := range rows {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, row...)
	}
	return append(append(append(data, `],"last":`...), strconv.FormatBool(last)...), '}')
}
