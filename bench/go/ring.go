// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sync"
)

// Twin of ring.c.
func ringMain() {
	rows(func(procs int) {
		for _, g := range []int64{100, 10000} {
			run(fmt.Sprintf("Ring/g=%d/procs=%d", g, procs), ring, g)
		}
	})
}

func ring(b *bench) {
	g := b.arg
	ch := make([]chan uint64, g)
	for i := range ch {
		ch[i] = make(chan uint64)
	}
	rounds := (b.n + g - 1) / g
	b.n = rounds * g
	var running sync.WaitGroup
	for i := int64(1); i < g; i++ {
		running.Add(1)
		go func(from, to chan uint64) {
			for i := int64(0); i < rounds+1; i++ {
				to <- <-from + 1
			}
			running.Done()
		}(ch[i], ch[(i+1)%g])
	}
	ch[1] <- 1
	v := <-ch[0]
	b.start()
	for i := int64(0); i < rounds; i++ {
		ch[1] <- v + 1
		v = <-ch[0]
	}
	b.stop()
	check("hops", v, uint64(b.n+g))
	running.Wait()
}
