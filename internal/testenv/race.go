//go:build race

package testenv

// RaceAllocations is what the race detector may add to the allocations of a call where it
// is on: it makes sync.Pool forget at random.
const RaceAllocations = 40

// RaceFactor is how many times longer a computation may take where the race detector is on:
// regular expressions were seen to take 27 times as long.
const RaceFactor = 4
