package acqueon

import (
	"encoding/json"

	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/socket"
)

// encodeMessage makes the frame of one whole message.
func encodeMessage(m Message) socket.Frame {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // texts
	}
	return socket.Text(data)
}

// servicePrefix is how every message of the service to a conn of that name
// begins; encodeReport writes the rest.
func servicePrefix(name string) []byte {
	receiver, err := json.Marshal(name)
	if err != nil {
		panic(err) // a text
	}
	return append([]byte(`{"Sender":"`+senderService+`","Receiver":`), receiver...)
}

// encodeReport writes what follows the prefix, for clients of that zone.
func (z Zone) encodeReport(p *feed.Publication) []byte {
	content := string(p.Content)
	if p.Key != "" { // always an array, also of one
		content = "[" + content + "]"
	}
	tail, err := json.Marshal(struct{ MessageType, Data, Time string }{p.Report, content, z.Format(p.At)})
	if err != nil {
		panic(err) // texts
	}
	tail[0] = ',' // instead of the brace
	return tail
}
