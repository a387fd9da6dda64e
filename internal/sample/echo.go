package sample

import (
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	silence    = 10 * time.Minute // how long a silent socket is kept
	maxMessage = 64 << 10
)

// echo returns every message to where it came from.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-WebSocket-Key") == "" {
		w.Header().Set("Upgrade", "websocket")
		answer(w, http.StatusUpgradeRequired, problem{"this is a WebSocket", requestID()})
		return
	}
	conn, buffered, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return // it has been answered
	}
	go func() {
		defer conn.Close()
		in := &wsutil.Reader{Source: buffered, State: ws.StateServerSide, CheckUTF8: true, MaxFrameSize: maxMessage}
		in.OnIntermediate = wsutil.ControlFrameHandler(conn, ws.StateServerSide)
		for {
			if conn.SetDeadline(time.Now().Add(silence)) != nil || echoOne(in, conn) != nil {
				return
			}
		}
	}()
}

func echoOne(in *wsutil.Reader, conn io.Writer) error {
	head, err := in.NextFrame()
	if err != nil {
		return err
	}
	if head.OpCode.IsControl() {
		return in.OnIntermediate(head, in)
	}
	message, err := io.ReadAll(io.LimitReader(in, maxMessage+1))
	if err != nil {
		return err
	}
	if len(message) > maxMessage {
		_ = wsutil.WriteServerMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusMessageTooBig, ""))
		return wsutil.ErrFrameTooLarge
	}
	return wsutil.WriteServerMessage(conn, head.OpCode, message)
}
