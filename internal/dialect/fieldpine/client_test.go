package fieldpine

import (
	"context"
	"errors"
	"testing"
	"time"

	fd1 "gatehouse.dev/client/fieldpine"
)

// The Go client against the server.
func TestGoClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	url := "ws://" + r.host + pathSocket
	c, err := fd1.Dial(t.Context(), url, fd1.APIKey("shop"), &fd1.Options{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var list struct{ Rows []struct{ PID int } }
	if err := c.Call(t.Context(), fd1.Request{Action: "fd1.products.list"}, &list); err != nil || len(list.Rows) != 2 {
		t.Errorf("Call = %v, %+v", err, list)
	}
	var failure *fd1.Error
	sale := fd1.Request{Action: "fd1.sales.get_sale", Key: "7741"}
	if err := c.Call(t.Context(), sale, nil); !errors.As(err, &failure) || failure.Code != 403 {
		t.Errorf("Call = %v, want 403", err)
	}
	if err := c.Login(t.Context(), fd1.Token("https://shop.example/r/sale-7741"), ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), sale, nil); err != nil {
		t.Errorf("after another login: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Call(short, fd1.Request{Action: "fd1.slow.wait"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call = %v, want the deadline", err)
	}

	<-r.door.revoke(1, "cre_sale-7741")
	r.door.revoke(2, "cre_shop")
	<-c.Done()
	if err := c.Call(t.Context(), sale, nil); !errors.Is(err, fd1.ErrClosed) {
		t.Errorf("Call = %v, want ErrClosed", err)
	}
}

func TestGoClientRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	_, err := fd1.Dial(t.Context(), "ws://"+r.host+pathSocket, fd1.APIKey("wrong"), &fd1.Options{LoginTimeout: 100 * time.Millisecond})
	if !errors.Is(err, fd1.ErrNoAnswer) {
		t.Errorf("Dial = %v, want ErrNoAnswer", err)
	}
}
