//go:build race

package testenv

// RaceAllocations is what the race detector may add to the allocations of a call where it
// is on: it makes sync.Pool forget at random.
const RaceAllocations = 40
