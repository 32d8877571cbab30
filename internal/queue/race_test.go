//go:build race

package queue

// The race detector makes sync.Pool forget at random, so an attempt costs more.
const raceAllocations = 40
