package feedapi

import "gatehouse.dev/internal/policy"

// ActionPublish is to change the reports of a feed. A scope of that name lets a
// token do it.
const ActionPublish = "feed:publish"

// Publisher may change the reports of every feed of the tenant;
// "feed/publisher@Feed:metrics" those of one.
const Publisher = "feed/publisher"

// Rules are what publishing brings to every tenant's policy.
var Rules = policy.Part{
	Name:  "feed",
	Roles: []policy.Role{{Name: Publisher}},
	Cedar: `
@id("feed/publish")
permit (
  principal in Role::"feed/publisher",
  action == Action::"feed:publish",
  resource is Feed
);
`,
}
