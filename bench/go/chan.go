// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Twin of chan.c.
func chanMain() {
	rows(func(procs int) {
		run(fmt.Sprintf("ChanRound/cap=0/procs=%d", procs), chanRound, 0)
		run(fmt.Sprintf("ChanRoundLocked/procs=%d", procs), chanRound, 1)
		for i, s := range streams {
			run(fmt.Sprintf("ChanStream/%s/procs=%d", s.name, procs),
				stream, int64(i))
		}
	})
}

func chanRound(b *bench) {
	there, back := make(chan uint64), make(chan uint64)
	var running sync.WaitGroup
	var v uint64
	b.start()
	running.Add(1)
	go func() {
		if b.arg != 0 {
			runtime.LockOSThread() // it ends with the goroutine
		}
		for i := int64(0); i < b.n; i++ {
			back <- <-there + 1
		}
		running.Done()
	}()
	for i := int64(0); i < b.n; i++ {
		there <- v
		v = <-back
	}
	running.Wait()
	b.stop()
	check("round trips", v, uint64(b.n))
}

var streams = []struct {
	name            string
	capacity, pairs int64
}{
	{"cap=0/1:1", 0, 1},
	{"cap=100/1:1", 100, 1},
	{"cap=100/8:8", 100, 8},
}

func stream(b *bench) {
	pairs := streams[b.arg].pairs
	ch := make(chan uint64, streams[b.arg].capacity)
	each := uint64((b.n + pairs - 1) / pairs)
	b.n = int64(each) * pairs
	var running sync.WaitGroup
	var sum uint64
	produce := func() {
		for i := uint64(0); i < each; i++ {
			ch <- i
		}
		running.Done()
	}
	consume := func() {
		var s uint64
		for i := uint64(0); i < each; i++ {
			s += <-ch
		}
		atomic.AddUint64(&sum, s)
		running.Done()
	}
	b.start()
	for i := int64(0); i < pairs; i++ {
		running.Add(2)
		go produce()
		go consume()
	}
	running.Wait()
	b.stop()
	check("sum", sum, uint64(b.n)*(each-1)/2)
}
