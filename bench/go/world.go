// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Twin of world.c: what a program can see of a stopped world.
func worldMain() {
	for _, parked := range []int{0, 100000} {
		name := fmt.Sprintf("World/parked=%d/procs=2", parked)
		if wanted(name) {
			world(name, parked)
		}
	}
}

func world(name string, parked int) {
	const stops = 1000
	runtime.GOMAXPROCS(2)
	gate := make(chan byte)
	var over int32
	for i := 0; i < parked; i++ {
		go func() { <-gate }()
	}
	var sink [2]int64
	for i := range sink {
		go func(n *int64) {
			for atomic.LoadInt32(&over) == 0 {
				atomic.AddInt64(n, 1)
			}
		}(&sink[i])
	}
	time.Sleep(10 * time.Millisecond)
	took := make([]int64, stops)
	var ms runtime.MemStats
	for i := range took {
		t := time.Now()
		runtime.ReadMemStats(&ms)
		took[i] = int64(time.Since(t))
		time.Sleep(time.Millisecond)
	}
	atomic.StoreInt32(&over, 1)
	close(gate)
	line(name, stops, latency("stop-", took)...)
}
