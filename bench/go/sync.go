// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sync"
)

// Twin of sync.c.
func syncMain() {
	rows(func(procs int) {
		for _, g := range []int64{1, 64} {
			run(fmt.Sprintf("Mutex/g=%d/procs=%d", g, procs), lock, g)
		}
		run(fmt.Sprintf("CondRound/procs=%d", procs), condRound, 0)
	})
}

func lock(b *bench) {
	each := (b.n + b.arg - 1) / b.arg
	b.n = each * b.arg
	var mutex sync.Mutex
	var running sync.WaitGroup
	var count uint64
	b.start()
	for i := int64(0); i < b.arg; i++ {
		running.Add(1)
		go func() {
			for i := int64(0); i < each; i++ {
				mutex.Lock()
				count++
				mutex.Unlock()
			}
			running.Done()
		}()
	}
	running.Wait()
	b.stop()
	check("locks", count, uint64(b.n))
}

func condRound(b *bench) {
	var mutex sync.Mutex
	var running sync.WaitGroup
	turned := [2]*sync.Cond{sync.NewCond(&mutex), sync.NewCond(&mutex)}
	var count uint64
	turn := 0
	play := func(who int) {
		mutex.Lock()
		for i := int64(0); i < b.n; i++ {
			for turn != who {
				turned[who].Wait()
			}
			count++
			turn = 1 - who
			turned[1-who].Signal()
		}
		mutex.Unlock()
		running.Done()
	}
	b.start()
	running.Add(2)
	go play(1)
	play(0)
	running.Wait()
	b.stop()
	check("moves", count, 2*uint64(b.n))
}
