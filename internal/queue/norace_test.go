//go:build !race

package queue

// raceAllocations is what the race detector adds where it is on.
const raceAllocations = 0
