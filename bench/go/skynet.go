// SPDX-License-Identifier: MIT

package main

import "fmt"

// Twin of skynet.c.
func skynetMain() {
	rows(func(procs int) {
		name := fmt.Sprintf("Skynet/procs=%d", procs)
		if !wanted(name) {
			return
		}
		tree()
		for i := env("BENCH_COUNT", 5); i > 0; i-- {
			b := tree()
			line(name, b.n,
				value{float64(b.t1-b.t0) / float64(b.n), "ns/op"},
				value{float64(b.c1-b.c0) / float64(b.n),
					"cpu-ns/op"},
				value{float64(b.t1-b.t0) / 1e6, "ms"})
		}
	})
}

func tree() *bench {
	b := &bench{n: 1111111}
	up := make(chan uint64)
	b.start()
	go node(up, 0, 1000000)
	sum := <-up
	b.stop()
	check("sum of the leaves", sum, 499999500000)
	return b
}

func node(up chan uint64, first, leaves uint64) {
	if leaves == 1 {
		up <- first
		return
	}
	ch := make(chan uint64)
	var sum uint64
	for i := uint64(0); i < 10; i++ {
		go node(ch, first+i*(leaves/10), leaves/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-ch
	}
	up <- sum
}
