//go:build race

package queue

// The race detector makes sync.Pool forget at random, so a text costs more.
const raceAllocations = 40
