// This file becomes part of the standard library's package time in the programs that
// the fault run compiles (clock_test.go), and of nothing else.

package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// step is what this process's wall clock is ahead, in nanoseconds: a page of the file
// named in CLOCK_STEP_FILE; nil where there is none.
var step *int64

func init() {
	name, found := syscall.Getenv("CLOCK_STEP_FILE")
	if !found {
		return
	}
	file, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("open CLOCK_STEP_FILE: " + err.Error())
	}
	page, err := syscall.Mmap(file, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map CLOCK_STEP_FILE: " + err.Error())
	}
	step = (*int64)(unsafe.Pointer(&page[0]))
}

func stepped(sec int64, nsec int32) (int64, int32) {
	if step == nil {
		return sec, nsec
	}
	ns := int64(nsec) + atomic.LoadInt64(step)
	sec, ns = sec+ns/1e9, ns%1e9
	if ns < 0 {
		sec, ns = sec-1, ns+1e9
	}
	return sec, int32(ns)
}
