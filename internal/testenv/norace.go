//go:build !race

package testenv

// RaceAllocations is what the race detector adds where it is on.
const RaceAllocations = 0
