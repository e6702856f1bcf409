// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// Twin of stall.c.  A hog is taken off its thread by a signal; the reads and
// sleeps are raw system calls, of which the runtime is told.
const stallNap = 2 * time.Millisecond

func stallMain() {
	for _, l := range [][3]int{{0, 0, 0}, {64, 0, 0}, {0, 2, 0}, {64, 4, 0},
		{0, 16, 0}, {0, 200, 0}, {0, 1000, 0}, {0, 0, 1000}} {
		name := fmt.Sprintf("Stall/readers=%d/hogs=%d/calls=%d/procs=2",
			l[0], l[1], l[2])
		if wanted(name) {
			stall(name, l[0], l[1], l[2])
		}
	}
	if wanted("StallChain/procs=1") {
		stallChain()
	}
	if wanted("StallWake/procs=2") {
		stallWake()
	}
}

type turn struct {
	n, from uint64
	_       [6]uint64
}

func stall(name string, readers, hogs, calls int) {
	runtime.GOMAXPROCS(2)
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		fail("pipe: %v", err)
	}
	var stop uint32
	var begun, running int64
	turns := make([]turn, hogs+1)
	spawn := func(fn func()) {
		atomic.AddInt64(&running, 1)
		go func() {
			atomic.AddInt64(&begun, 1)
			fn()
			atomic.AddInt64(&running, -1)
		}()
	}
	t0 := now()
	for i := 0; i < readers; i++ {
		spawn(func() { syscall.Read(fds[0], make([]byte, 1)) })
	}
	for i := 0; i < hogs; i++ {
		n := &turns[i].n
		spawn(func() {
			for atomic.LoadUint32(&stop) == 0 {
				atomic.AddUint64(n, 1)
			}
		})
	}
	for i := 0; i < calls; i++ {
		spawn(func() {
			ts := syscall.Timespec{Nsec: 100e6}
			for atomic.LoadUint32(&stop) == 0 {
				syscall.Nanosleep(&ts, nil)
			}
		})
	}
	for int(atomic.LoadInt64(&begun)) < readers+hogs+calls &&
		now()-t0 < 60e9 {
		time.Sleep(time.Millisecond)
	}
	t0 = now() - t0
	for i := range turns {
		turns[i].from = atomic.LoadUint64(&turns[i].n)
	}
	var late []int64
	for end := now() + env("BENCH_STALL_MS", 2000)*1e6; now() < end; {
		t := now()
		time.Sleep(stallNap)
		late = append(late, now()-t-int64(stallNap))
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	values := append(latency("", late), value{float64(t0) / 1e6, "begin-ms"},
		value{float64(len(tasks)), "threads"})
	if hogs > 0 {
		least, most := ^uint64(0), uint64(1)
		for i := 0; i < hogs; i++ {
			n := atomic.LoadUint64(&turns[i].n) - turns[i].from
			if n < least {
				least = n
			}
			if n > most {
				most = n
			}
		}
		if least == 0 {
			least = 1
		}
		values = append(values,
			value{float64(most) / float64(least), "spread"})
	}
	line(name, int64(len(late)), values...)
	atomic.StoreUint32(&stop, 1)
	syscall.Close(fds[1])
	for atomic.LoadInt64(&running) > 0 {
		time.Sleep(time.Millisecond)
	}
	syscall.Close(fds[0])
}

func stallChain() {
	runtime.GOMAXPROCS(1)
	var stop, running uint32 = 0, 1
	var link func()
	link = func() {
		if atomic.LoadUint32(&stop) != 0 {
			atomic.StoreUint32(&running, 0)
			return
		}
		go link()
	}
	go link()
	var late []int64
	for i, from := 0, now(); i < 200 && now()-from < 10e9; i++ {
		t := now()
		runtime.Gosched()
		late = append(late, now()-t)
	}
	atomic.StoreUint32(&stop, 1)
	for atomic.LoadUint32(&running) != 0 {
		runtime.Gosched()
	}
	line("StallChain/procs=1", int64(len(late)), latency("", late)...)
}

func stallWake() {
	runtime.GOMAXPROCS(2)
	bell := make(chan int64, 1)
	done := make(chan []int64)
	go func() {
		var late []int64
		for t := range bell {
			late = append(late, now()-t)
		}
		done <- late
	}()
	for i := 0; i < 2000; i++ {
		time.Sleep(500 * time.Microsecond)
		t := now()
		bell <- t
		for now()-t < 200e3 {
		}
	}
	close(bell)
	late := <-done
	line("StallWake/procs=2", int64(len(late)), latency("", late)...)
}
