package acqueon

import "gatehouse.dev/internal/policy"

// actionWatch is to be pushed the reports of a feed.
const actionWatch = "acqueon:watch"

// scopeMetrics is the scope that the rules know.
const scopeMetrics = "performance-metrics"

// Viewer may watch the metrics.
const Viewer = "acqueon/viewer"

// Rules are this dialect's part of every tenant's policy. An access token needs
// the scope performance-metrics besides its owner's role.
var Rules = policy.Part{
	Name:  Name,
	Roles: []policy.Role{{Name: Viewer}},
	Cedar: `
@id("acqueon/watch")
permit (
  principal in Role::"acqueon/viewer",
  action == Action::"acqueon:watch",
  resource is Feed
);

@id("acqueon/watch-scope")
permit (
  principal in Scope::"performance-metrics",
  action == Action::"acqueon:watch",
  resource is Feed
);
`,
}
