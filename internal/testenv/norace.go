//go:build !race

package testenv

// RaceAllocations is what the race detector adds where it is on.
const RaceAllocations = 0

// RaceFactor is how many times longer a computation may take where the race detector is on.
const RaceFactor = 1
