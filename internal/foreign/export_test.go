package foreign

import "context"

// Review asks about each token that is watched, now.
func (s *Service) Review(ctx context.Context) { s.review(ctx) }
