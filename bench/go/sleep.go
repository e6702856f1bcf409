// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

// Twin of sleep.c.
func sleepMain() {
	for _, row := range []struct {
		ns   int64
		name string
		n    int
	}{
		{10e3, "SleepLate/d=10us", 2000},
		{100e3, "SleepLate/d=100us", 2000},
		{1e6, "SleepLate/d=1ms", 500},
	} {
		if !wanted(row.name) {
			continue
		}
		v := make([]int64, row.n)
		t0 := now()
		for k := range v {
			t := now()
			sleep(row.ns)
			v[k] = now() - t - row.ns
		}
		mean := float64(now()-t0) / float64(row.n)
		line(row.name, int64(row.n), append([]value{{mean, "ns/op"}},
			latency("late-", v)...)...)
	}
	for procs := 1; procs <= 2; procs++ {
		runtime.GOMAXPROCS(procs)
		name := fmt.Sprintf("Sleepers/procs=%d", procs)
		for i := env("BENCH_COUNT", 1); i > 0 && wanted(name); i-- {
			sleepers(name)
		}
	}
}

func sleepers(name string) {
	n := env("BENCH_GOROUTINES", 1000000)
	b := bench{n: n}
	rnd := uint64(1)
	left := n
	b.start()
	for i := int64(0); i < n; i++ {
		rnd = rnd*6364136223846793005 + 1442695040888963407
		ns := int64(1e9) + int64(rnd>>34)%1e9
		go func() {
			sleep(ns)
			atomic.AddInt64(&left, -1)
		}()
	}
	for atomic.LoadInt64(&left) > 0 {
		sleep(1e6)
	}
	b.stop()
	line(name, n, value{float64(b.t1-b.t0) / float64(n), "ns/op"},
		value{float64(b.c1-b.c0) / float64(n), "cpu-ns/op"},
		value{float64(b.c1-b.c0) / 1e9, "cpu-s"})
}
