// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sync"
)

// Twin of select.c.  The compiler makes the same of SelectDefault/cases=1 and
// of TryRecv.
func selectMain() {
	rows(func(procs int) {
		for _, row := range []struct {
			name string
			fn   func(*bench)
		}{
			{"SelectRound/cases=2", selectRound},
			{"SelectDefault/cases=1", tryRecv},
			{"SelectDefault/cases=2", selectNothing},
			{"TryRecv", tryRecv},
		} {
			run(fmt.Sprintf("%s/procs=%d", row.name, procs), row.fn, 0)
		}
	})
}

func pick(ch *[2]chan uint64) uint64 {
	select {
	case v := <-ch[0]:
		return v
	case v := <-ch[1]:
		return v
	}
}

func selectRound(b *bench) {
	var there, back [2]chan uint64
	for i := range there {
		there[i], back[i] = make(chan uint64), make(chan uint64)
	}
	var running sync.WaitGroup
	var last uint64
	b.start()
	running.Add(1)
	go func() {
		for i := int64(0); i < b.n; i++ {
			back[i&1] <- pick(&there) + 1
		}
		running.Done()
	}()
	for i := int64(0); i < b.n; i++ {
		there[i&1] <- last
		last = pick(&back)
	}
	running.Wait()
	b.stop()
	check("round trips", last, uint64(b.n))
}

func selectNothing(b *bench) {
	one, two := make(chan uint64), make(chan uint64)
	var defaults uint64
	b.start()
	for i := int64(0); i < b.n; i++ {
		select {
		case <-one:
		case <-two:
		default:
			defaults++
		}
	}
	b.stop()
	check("defaults", defaults, uint64(b.n))
}

func tryRecv(b *bench) {
	ch := make(chan uint64)
	var none uint64
	b.start()
	for i := int64(0); i < b.n; i++ {
		select {
		case <-ch:
		default:
			none++
		}
	}
	b.stop()
	check("tries", none, uint64(b.n))
}
