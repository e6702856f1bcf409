// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"time"
)

// Twin of after.c.  AfterFunc makes a new timer each time; start+stop without
// that is stop+reset.
func afterMain() {
	rows(func(procs int) {
		for _, others := range []int{0, 10000} {
			afterRows(procs, others)
		}
	})
}

func never() { fail("a timer fired an hour early") }

func afterRows(procs, others int) {
	var other []*time.Timer
	for i := 0; i < others; i++ {
		other = append(other, time.AfterFunc(
			time.Hour+time.Duration(i)*time.Second, never))
	}
	for _, row := range []struct {
		name string
		fn   func(*bench)
	}{
		{"start+stop", startStop},
		{"reset", reset},
		{"stop+reset", stopReset},
	} {
		run(fmt.Sprintf("Timer/%s/others=%d/procs=%d", row.name, others,
			procs), row.fn, 0)
	}
	for _, t := range other {
		if !t.Stop() {
			fail("not stopped")
		}
	}
}

func startStop(b *bench) {
	var stopped uint64
	b.start()
	for i := int64(0); i < b.n; i++ {
		if time.AfterFunc(time.Hour, never).Stop() {
			stopped++
		}
	}
	b.stop()
	check("stopped", stopped, uint64(b.n))
}

func reset(b *bench) {
	var armed uint64
	t := time.AfterFunc(time.Hour, never)
	b.start()
	for i := int64(0); i < b.n; i++ {
		if t.Reset(time.Hour) {
			armed++
		}
	}
	b.stop()
	t.Stop()
	check("armed", armed, uint64(b.n))
}

func stopReset(b *bench) {
	var stopped, armed uint64
	t := time.AfterFunc(time.Hour, never)
	b.start()
	for i := int64(0); i < b.n; i++ {
		if t.Stop() {
			stopped++
		}
		if t.Reset(time.Hour) {
			armed++
		}
	}
	b.stop()
	t.Stop()
	check("stopped", stopped, uint64(b.n))
	check("armed", armed, 0)
}
