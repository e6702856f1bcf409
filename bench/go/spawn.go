// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

// Twin of spawn.c.
func spawnMain() {
	for procs := 1; procs <= 2; procs++ {
		runtime.GOMAXPROCS(procs)
		for _, batch := range []int64{1, 100, 1000} {
			run(fmt.Sprintf("Spawn/batch=%d/procs=%d", batch, procs),
				spawn, batch)
		}
	}
}

var left int64

func child() { atomic.AddInt64(&left, -1) }

func spawn(b *bench) {
	batch := b.arg
	rounds := (b.n + batch - 1) / batch
	b.n = rounds * batch
	b.start()
	for r := int64(0); r < rounds; r++ {
		atomic.StoreInt64(&left, batch)
		for i := int64(0); i < batch; i++ {
			go child()
		}
		for atomic.LoadInt64(&left) > 0 {
			runtime.Gosched()
		}
	}
	b.stop()
}
