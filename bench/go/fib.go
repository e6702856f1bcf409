// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sync"
)

// Twin of fib.c.
func fibMain() {
	rows(func(procs int) {
		run(fmt.Sprintf("Fib/chan/procs=%d", procs), fib, 0)
		run(fmt.Sprintf("Fib/wg/procs=%d", procs), fib, 1)
	})
}

const tasks = 1346268

func fib(b *bench) {
	fn := fibChan
	if b.arg == 1 {
		fn = fibWg
	}
	times := (b.n + tasks - 1) / tasks
	b.n = times * tasks
	b.start()
	for i := int64(0); i < times; i++ {
		check("fib", fn(30), 832040)
	}
	b.stop()
}

func fibChan(n uint64) uint64 {
	if n < 2 {
		return n
	}
	left := make(chan uint64, 1)
	go func() { left <- fibChan(n - 1) }()
	sum := fibChan(n - 2)
	return sum + <-left
}

func fibWg(n uint64) uint64 {
	if n < 2 {
		return n
	}
	var left uint64
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		left = fibWg(n - 1)
		wg.Done()
	}()
	sum := fibWg(n - 2)
	wg.Wait()
	return sum + left
}
