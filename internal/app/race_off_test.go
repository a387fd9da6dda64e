//go:build !race

package app_test

// slack multiplies times that are promised.
const slack = 1
