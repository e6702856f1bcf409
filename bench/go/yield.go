// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

// Twin of yield.c.
func yieldMain() {
	for procs := 1; procs <= 2; procs++ {
		runtime.GOMAXPROCS(procs)
		for _, g := range []int64{2, 100, 1000, 10000} {
			run(fmt.Sprintf("Yield/g=%d/procs=%d", g, procs), yield, g)
		}
	}
}

func yield(b *bench) {
	g := b.arg
	each := (b.n + g - 1) / g
	b.n = each * g
	var start uint32
	left := g - 1
	for i := int64(1); i < g; i++ {
		go func() {
			for atomic.LoadUint32(&start) == 0 {
				runtime.Gosched()
			}
			for i := int64(0); i < each; i++ {
				runtime.Gosched()
			}
			atomic.AddInt64(&left, -1)
		}()
	}
	b.start()
	atomic.StoreUint32(&start, 1)
	for i := int64(0); i < each; i++ {
		runtime.Gosched()
	}
	for atomic.LoadInt64(&left) > 0 {
		runtime.Gosched()
	}
	b.stop()
}
