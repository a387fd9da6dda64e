package grant

import (
	"context"
	"time"
)

// Run erases salts whose time is over, until ctx ends. It looks every two
// seconds while tokens are being rotated here, and every minute for those of a
// node that is no more.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	var quiet time.Duration
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.rotated.Swap(false) {
			quiet = 0
		} else {
			quiet += 2 * time.Second
		}
		// What was rotated last is due a window later, and may have been
		// answered a little after that.
		if quiet > s.window+10*time.Second && time.Since(last) < time.Minute {
			continue
		}
		last = time.Now()
		if _, err := s.store.EraseSalts(ctx, s.window); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "salts of refresh tokens not erased", "error", err)
		}
	}
}
