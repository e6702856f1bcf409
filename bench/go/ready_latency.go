// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// Twin of ready_latency.c.  The writer is a process of its own: a thread of
// this one would need a P to leave its sleep.
func readyMain() {
	for i := 0; i < 3*2*2; i++ {
		load := []string{"none", "yield", "100us"}[i/4]
		sleeper, procs, tail := i/2%2 == 1, 1+i%2, ""
		if sleeper {
			tail = "+sleeper"
		}
		name := fmt.Sprintf("ReadyLatency/load=%s%s/procs=%d", load, tail,
			procs)
		for k := env("BENCH_COUNT", 1); k > 0 && wanted(name); k-- {
			ready(name, load, sleeper, procs)
		}
	}
}

func writerMain() {
	rnd := uint64(7)
	buf := make([]byte, 8)
	for i := env("BENCH_SAMPLES", 1000); i > 0; i-- {
		rnd = rnd*6364136223846793005 + 1442695040888963407
		ts := syscall.Timespec{Nsec: 500e3 + int64((rnd>>34)%1e6)}
		syscall.Nanosleep(&ts, nil)
		binary.LittleEndian.PutUint64(buf, uint64(now()))
		syscall.Write(1, buf)
	}
}

func ready(name, load string, sleeper bool, procs int) {
	runtime.GOMAXPROCS(procs)
	r, w, err := os.Pipe()
	if err != nil {
		fail("pipe: %v", err)
	}
	var stop uint32
	var running int64
	var delay, nap []int64
	spawn := func(fn func()) {
		atomic.AddInt64(&running, 1)
		go func() {
			for atomic.LoadUint32(&stop) == 0 {
				fn()
			}
			atomic.AddInt64(&running, -1)
		}()
	}
	writer := exec.Command("/proc/self/exe", "writer")
	writer.Stdout = w
	writer.Stderr = os.Stderr
	if err := writer.Start(); err != nil {
		fail("writer: %v", err)
	}
	w.Close()
	for i := 0; i < 2*procs; i++ {
		switch load {
		case "yield":
			spawn(runtime.Gosched)
		case "100us":
			spawn(func() {
				for t0 := now(); now()-t0 < 100e3; {
				}
				runtime.Gosched()
			})
		}
	}
	if sleeper {
		spawn(func() {
			t0 := now()
			sleep(2e6)
			nap = append(nap, now()-t0-2e6)
		})
	}
	buf := make([]byte, 64*8)
	for {
		n, err := r.Read(buf)
		t := now()
		for i := 0; i+8 <= n; i += 8 {
			delay = append(delay,
				t-int64(binary.LittleEndian.Uint64(buf[i:])))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			fail("read: %v", err)
		}
	}
	atomic.StoreUint32(&stop, 1)
	for atomic.LoadInt64(&running) > 0 {
		sleep(1e6)
	}
	if err := writer.Wait(); err != nil {
		fail("writer: %v", err)
	}
	r.Close()
	line(name, int64(len(delay)),
		append(latency("", delay), latency("sleep-", nap)...)...)
}
