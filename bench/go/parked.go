// SPDX-License-Identifier: MIT

package main

import "sync/atomic"

// Twin of parked.c.  A sleeping goroutine of Go cannot be woken, so these are
// parked on a channel, and closing it is the cancel.  Page tables are not
// looked at.
func parkedMain() {
	for i := env("BENCH_COUNT", 1); i > 0; i-- {
		parked()
	}
}

func parked() {
	n := env("BENCH_GOROUTINES", 1000000)
	quit := make(chan struct{})
	var asleep int64
	left := n
	before := rss()
	t0 := now()
	for i := int64(0); i < n; i++ {
		go func() {
			atomic.AddInt64(&asleep, 1)
			<-quit
			atomic.AddInt64(&left, -1)
		}()
	}
	for atomic.LoadInt64(&asleep) < n {
		sleep(1e6)
	}
	create := now() - t0
	sleep(10e6)
	held := rss() - before

	t0 = now()
	close(quit)
	for atomic.LoadInt64(&left) > 0 {
		sleep(1e6)
	}
	cancel := now() - t0
	t0 = now()
	for rss()-before > 20<<20 && now()-t0 < 10e9 {
		sleep(20e6)
	}
	line("Parked", n, value{float64(create) / float64(n), "ns/op"},
		value{float64(held) / float64(n), "B/g"},
		value{float64(create) / 1e9, "create-s"},
		value{float64(cancel) / 1e9, "cancel-s"},
		value{float64(rss()-before) / (1 << 20), "MiB-left"},
		value{float64(now()-t0) / 1e9, "settle-s"})
}
