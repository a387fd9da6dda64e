package fieldpine

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/secret"
)

// serveHTTP answers one packet over HTTP: the credential comes with each.
func (s *service) serveHTTP(w http.ResponseWriter, r *http.Request, facts *inbound.Facts) {
	p, status, err := s.readHTTP(w, r)
	if err != nil {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, POST")
		}
		refuse(w, p, status, err.Error())
		return
	}
	key, status, err := headerKey(r.Header)
	if err != nil {
		refuse(w, p, status, err.Error())
		return
	}
	endpoint, found := s.endpoint(facts, p)
	admit := func(ctx context.Context) (*identity.Identity, error) {
		id, err := s.Door.Check(ctx, authn.Attempt{
			Tenant: facts.Tenant, Dialect: Name, Method: identity.APIKey, Secret: key,
			Remote: facts.Remote, RequestID: facts.RequestID,
		})
		if err != nil || !found {
			return id, err
		}
		return id, s.allowed(ctx, id, facts, p, endpoint)
	}
	id, err := admit(r.Context())
	if err != nil {
		code, message, wait := verdict(err)
		retryAfter(w.Header(), wait)
		refuse(w, p, code, message)
		return
	}
	if !found { // said only to those who may come in
		refuse(w, p, http.StatusNotFound, "unknown endpoint")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Config.Limits.Patience)
	defer cancel()
	result := s.ask(ctx, p, endpoint, facts, id, admit)
	status = http.StatusOK
	if result.Error != nil {
		status = result.Error.Code
	}
	answer(w, status, result)
}

// headerKey is the one key of a request; x-apikey and x-api-key are both read.
func headerKey(h http.Header) (secret.Text, int, error) {
	values := append(append([]string(nil), h.Values("X-Apikey")...), h.Values("X-Api-Key")...)
	if len(values) == 0 {
		return secret.Text{}, http.StatusUnauthorized, errors.New("a valid key is needed")
	}
	key := secret.New(values[0])
	for _, v := range values[1:] {
		if !key.Equal(secret.New(v)) {
			return secret.Text{}, http.StatusBadRequest, errors.New("two different keys in one request")
		}
	}
	if key.Empty() || key.Len() > maxCredential {
		return secret.Text{}, http.StatusUnauthorized, errors.New("a valid key is needed")
	}
	return key, 0, nil
}

// readHTTP makes a packet of a request. Its address names the action; a packet
// in the body that names another is refused.
func (s *service) readHTTP(w http.ResponseWriter, r *http.Request) (packet, int, error) {
	action := strings.ReplaceAll(strings.Trim(r.URL.Path, "/"), "/", ".")
	named, ok := canonicalAction(action)
	if !ok || !strings.HasPrefix(action, actionPrefix) || strings.HasSuffix(r.URL.Path, "/") {
		return packet{}, http.StatusNotFound, errors.New("unknown endpoint")
	}
	var p packet
	var err error
	switch r.Method {
	case http.MethodGet:
		p, err = fromQuery(r.URL.RawQuery)
	case http.MethodPost:
		var status int
		if p, status, err = readBody(w, r, s.Config.Limits.Packet); status != 0 {
			return packet{Action: named}, status, err
		}
	default:
		return packet{Action: named}, http.StatusMethodNotAllowed, errors.New("send GET or POST")
	}
	if err != nil {
		return packet{Action: named}, http.StatusBadRequest, err
	}
	if p.Action != "" && p.Action != named {
		return packet{Action: named}, http.StatusBadRequest, errors.New("address and packet name different endpoints")
	}
	p.Action = named
	return p, 0, nil
}

// bodyPatience is how long a packet may take to arrive.
const bodyPatience = 15 * time.Second

func readBody(w http.ResponseWriter, r *http.Request, most int) (packet, int, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return packet{}, http.StatusUnsupportedMediaType, errors.New("the body must be application/json")
	}
	// Where the connection has no deadlines, the listener's own limits hold.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyPatience))
	// The listener's guard would move that deadline with every byte.
	whole := io.NopCloser(inbound.Unguarded(r.Body))
	body, err := io.ReadAll(http.MaxBytesReader(w, whole, int64(most)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return packet{}, http.StatusRequestEntityTooLarge, errors.New("the packet is too large")
	case err != nil:
		return packet{}, http.StatusBadRequest, errors.New("the body could not be read")
	}
	_ = control.SetReadDeadline(time.Time{}) // or it would end the wait for the answer
	p, err := parsePacket(body)
	if errors.Is(err, errAction) && p.Action == "" { // the address names it
		err = nil
	}
	if err != nil || len(p.Enc) > 0 {
		return packet{}, http.StatusBadRequest, errNotPacket
	}
	return p, 0, nil
}

// fromQuery makes a packet of a query: members of the packet with an
// underscore in front (_k=7, _v.table=x, _qo=a,b), everything else a condition.
// All values are text.
func fromQuery(rawQuery string) (packet, error) {
	args, err := url.ParseQuery(rawQuery)
	if err != nil {
		return packet{}, errors.New("the query cannot be read")
	}
	members := make(map[string]any)
	for name, values := range args {
		if len(values) > 1 || !printable(name) || !printable(values[0]) {
			return packet{}, errors.New("an argument is given twice or is not text")
		}
		if err := setMember(members, name, values[0]); err != nil {
			return packet{}, err
		}
	}
	raw, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return packet{}, errNotPacket
	}
	p, err := parsePacket(raw)
	if errors.Is(err, errAction) && p.Action == "" {
		err = nil
	}
	return p, err
}

// queryMembers are the members of a packet that a query may set.
var queryMembers = map[string]bool{"q": true, "qk": true, "qo": true, "k": true, "v": true, "rq": true, "rt": true, "mo": true, "pt": true}

func setMember(members map[string]any, name, value string) error {
	path, isMember := strings.CutPrefix(name, "_")
	if !isMember {
		path = "q." + name
	}
	member, inner, nested := strings.Cut(path, ".")
	if !queryMembers[member] {
		return errors.New("unknown packet member " + member)
	}
	if !nested {
		if _, taken := members[member]; taken {
			return errors.New("packet member " + member + " is given twice")
		}
		members[member] = value
		return nil
	}
	object, ok := members[member].(map[string]any)
	if !ok {
		if members[member] != nil {
			return errors.New("packet member " + member + " is given twice")
		}
		object = make(map[string]any)
		members[member] = object
	}
	if _, taken := object[inner]; taken || inner == "" {
		return errors.New("packet member " + member + " is given twice")
	}
	object[inner] = value
	return nil
}

// encode writes a packet.
func (p packet) encode() (jsontext.Value, error) { return json.Marshal(p) }
