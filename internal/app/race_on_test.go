//go:build race

package app_test

// slack multiplies times that are promised: the race detector makes everything
// about ten times slower.
const slack = 10
