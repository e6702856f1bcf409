// SPDX-License-Identifier: MIT

// The twins: the same questions as in the C files beside this directory,
// asked of Go, with the same rows and the same lines of output.
//
//	go build -o twin . && ./twin yield g=100
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

var twins = map[string]func(){
	"yield":         yieldMain,
	"spawn":         spawnMain,
	"sleep":         sleepMain,
	"parked":        parkedMain,
	"ready_latency": readyMain,
	"chan":          chanMain,
	"select":        selectMain,
	"sync":          syncMain,
	"skynet":        skynetMain,
	"ring":          ringMain,
	"fib":           fibMain,
	"after":         afterMain,
	"stall":         stallMain,
	"world":         worldMain,
}

var only string

func main() {
	if len(os.Args) < 2 || twins[os.Args[1]] == nil {
		if len(os.Args) == 2 && os.Args[1] == "writer" {
			writerMain()
			return
		}
		var names []string
		for name := range twins {
			names = append(names, name)
		}
		sort.Strings(names)
		fail("usage: twin %s [word]", strings.Join(names, "|"))
	}
	if len(os.Args) > 2 {
		only = os.Args[2]
	}
	twins[os.Args[1]]()
}

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func wanted(name string) bool { return strings.Contains(name, only) }

func env(name string, dflt int64) int64 {
	s := os.Getenv(name)
	if s == "" {
		return dflt
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		fail("%s: %v", name, err)
	}
	return v
}

func clock(id uintptr) int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id,
		uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// The monotonic clock, the same one in all processes.
func now() int64 { return clock(1) }

// Processor time of this process.
func cpu() int64 { return clock(2) }

type bench struct {
	n, arg         int64
	t0, t1, c0, c1 int64
}

func (b *bench) start() { b.c0, b.t0 = cpu(), now() }
func (b *bench) stop()  { b.t1, b.c1 = now(), cpu() }

type value struct {
	v    float64
	unit string
}

func line(name string, n int64, values ...value) {
	fmt.Printf("Benchmark%s\t%d", name, n)
	for _, v := range values {
		fmt.Printf("\t%.2f %s", v.v, v.unit)
	}
	fmt.Println()
}

func (b *bench) print(name string) {
	line(name, b.n, value{float64(b.t1-b.t0) / float64(b.n), "ns/op"},
		value{float64(b.c1-b.c0) / float64(b.n), "cpu-ns/op"})
}

func run(name string, fn func(*bench), arg int64) {
	if !wanted(name) {
		return
	}
	want := env("BENCH_NS", 500e6)
	b := bench{n: 1, arg: arg}
	for fn(&b); b.t1-b.t0 < want; fn(&b) {
		b.n += b.n + b.n/2 + 1
	}
	for count := env("BENCH_COUNT", 5); count > 0; count-- {
		fn(&b)
		b.print(name)
	}
}

// The rows of one program, with one P and with two.
func rows(do func(procs int)) {
	for procs := 1; procs <= 2; procs++ {
		runtime.GOMAXPROCS(procs)
		do(procs)
	}
}

// The end of a run that gave another result than it must.
func check(what string, is, want uint64) {
	if is != want {
		fail("%s: %d instead of %d", what, is, want)
	}
}

func latency(prefix string, v []int64) []value {
	sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
	var out []value
	for _, p := range []struct {
		percent int
		name    string
	}{{50, "p50"}, {99, "p99"}, {100, "max"}} {
		if len(v) == 0 {
			break
		}
		k := int(math.Min(float64(len(v)*p.percent/100),
			float64(len(v)-1)))
		out = append(out, value{float64(v[k]), prefix + p.name + "-ns"})
	}
	return out
}

func rss() int64 {
	var size, pages int64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		fail("statm: %v", err)
	}
	return pages * int64(os.Getpagesize())
}

func sleep(ns int64) { time.Sleep(time.Duration(ns)) }
