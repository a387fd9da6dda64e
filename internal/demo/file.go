package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is what the file for scripts is called in the data folder.
const FileName = "demo.json"

// File is what a script needs to talk to the demonstration. Members are added,
// never renamed; docs/demo.md describes them.
type File struct {
	BaseURL string  `json:"base_url"` // the gate, no slash at the end
	Admin   Admin   `json:"admin"`
	Ayyeka  Ayyeka  `json:"ayyeka"`
	Gateway Gateway `json:"gateway"`
	Acqueon Acqueon `json:"acqueon"`

	Fieldpine Fieldpine `json:"fieldpine"`
}

// Admin is the admin API.
type Admin struct {
	URL          string `json:"url"`   // append /v1/…
	Token        string `json:"token"` // send as Authorization: Bearer
	CredentialID string `json:"credential_id"`
}

// Ayyeka is an API client of that dialect.
type Ayyeka struct {
	Key          string `json:"key"`
	Secret       string `json:"secret"`
	JWKSURL      string `json:"jwks_url"`
	CredentialID string `json:"credential_id"`
}

// Acqueon is a dashboard of that dialect.
type Acqueon struct {
	User         string `json:"user"`
	APIKey       string `json:"api_key"`
	SecretKey    string `json:"secret_key"`
	AccessToken  string `json:"access_token"`
	SocketURL    string `json:"socket_url"`
	CredentialID string `json:"credential_id"`
}

// Gateway is an API key for the routes without a dialect.
type Gateway struct {
	APIKey       string `json:"api_key"` // send as X-API-Key
	DownloadURL  string `json:"download_url"`
	SocketURL    string `json:"socket_url"`
	CredentialID string `json:"credential_id"`
}

// Fieldpine has one login of each kind for that dialect.
type Fieldpine struct {
	APIKey             string        `json:"apikey"`
	Token              string        `json:"token"`
	TokenResource      TokenResource `json:"token_resource"`
	EncryptionUser     string        `json:"encryption_user"`
	EncryptionPassword string        `json:"encryption_password"`
	WSURL              string        `json:"ws_url"`
	CredentialID       string        `json:"credential_id"` // of the API key
}

// TokenResource is what the token opens, and something that it does not.
type TokenResource struct {
	Action   string `json:"action"`
	Key      string `json:"k"`
	OtherKey string `json:"other_k"`
}

// write puts the file in place by rename, so that a script never reads half of
// it, and for its owner only, because it holds secrets.
func (f File) write(dir string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", FileName, err)
	}
	draft, err := os.CreateTemp(dir, FileName+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", FileName, err)
	}
	_, err = draft.Write(append(text, '\n'))
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), filepath.Join(dir, FileName))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", FileName, errors.Join(err, os.Remove(draft.Name())))
	}
	return nil
}

// readFile returns what an earlier demonstration left in dir; the zero File when
// there was none.
func readFile(dir string) (File, error) {
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", FileName, err)
	}
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return File{}, fmt.Errorf("read %s: %w", FileName, err)
	}
	return f, nil
}
