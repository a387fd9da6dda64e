package audit

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Trim removes rows older than before, up to a signed head, which becomes the
// beginning of the chain. A row says so, so that nobody can pass off a removed
// beginning as retention. It returns how many rows went.
func Trim(ctx context.Context, store Store, before time.Time, actor, node string) (int64, error) {
	cut, err := lastHead(ctx, store, before)
	if err != nil {
		return 0, err
	}
	first, err := store.ChainedEvents(ctx, 0, 1)
	if err != nil {
		return 0, fmt.Errorf("read the beginning of the audit chain: %w", err)
	}
	if len(first) == 0 || cut.Seq < first[0].Seq {
		return 0, nil
	}
	n, err := store.TrimEvents(ctx, cut.Link, Event{
		Action: ActionTrim, Actor: actor, Node: node, Outcome: OK,
		Detail: map[string]string{
			"seq": strconv.FormatInt(cut.Seq, 10), "hash": hex.EncodeToString(cut.Hash),
			"before": before.UTC().Format(time.RFC3339),
		},
	})
	if err != nil {
		return 0, fmt.Errorf("remove old audit rows: %w", err)
	}
	return n, nil
}

// lastHead is the last head signed before that time; zero when there is none.
func lastHead(ctx context.Context, store Store, before time.Time) (Head, error) {
	var last Head
	for {
		heads, err := store.Heads(ctx, last.Seq, verifyBatch)
		if err != nil {
			return Head{}, fmt.Errorf("read audit heads: %w", err)
		}
		for _, h := range heads {
			if !h.At.Before(before) {
				return last, nil
			}
			last = h
		}
		if len(heads) == 0 {
			return last, nil
		}
	}
}
