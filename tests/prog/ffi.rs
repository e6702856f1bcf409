// SPDX-License-Identifier: MIT
//
// ffi.rs - goroutines from Rust, through the C calls alone: no macro and no
// inline function of the headers is needed.
//
// Closures run as goroutines, channels carry numbers both between these and
// to a thread of std, a select takes whichever comes, and a panic that is
// caught inside a goroutine stays there.

#![allow(unused_unsafe)] // older compilers see more of it than newer ones

use std::os::raw::{c_char, c_int, c_void};
use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

#[repr(C)]
struct Options {
    maxprocs: c_int,
    stack_size: usize,
    stop_timeout: i64,
    max_goroutines: i64,
    max_threads: c_int,
    fake_time: bool,
    seed: u64,
    bind_threads: bool,
    dump_signal: c_int,
    no_signals: bool,
    no_deadlock: bool,
    quiet: bool,
    guest: bool,
    main_thread: bool,
    reserved: [i64; 4],
}

#[repr(C)]
struct GoOptions {
    stack_size: usize,
    name: *const c_char,
    lock_thread: bool,
    exceptions: bool,
    reserved: [i64; 3],
}

#[repr(C)]
struct Case {
    op: c_int,
    err: c_int,
    ch: *mut c_void,
    elem: *mut c_void,
    at: i64,
    opaque: [u64; 8],
}

const RECV: c_int = 2;
const DEADLINE: c_int = 5;
const EPIPE: c_int = -32;

type Fn = unsafe extern "C" fn(*mut c_void);

extern "C" {
    fn gamp_run(f: Fn, arg: *mut c_void, opt: *const Options) -> c_int;
    fn gamp_go_with(opt: *const GoOptions, f: Fn, arg: *mut c_void) -> i64;
    fn gamp_sleep(ns: i64) -> c_int;
    fn gamp_now() -> i64;
    fn gamp_self() -> i64;
    fn gamp_yield();
    fn gamp_checkpoint() -> c_int;
    fn gamp_chan_new(size: usize, cap: usize) -> *mut c_void;
    fn gamp_chan_free(ch: *mut c_void) -> c_int;
    fn gamp_chan_close(ch: *mut c_void) -> c_int;
    fn gamp_chan_send(ch: *mut c_void, elem: *const c_void) -> c_int;
    fn gamp_chan_recv(ch: *mut c_void, elem: *mut c_void) -> c_int;
    fn gamp_select(cases: *mut Case, n: c_int) -> c_int;
}

// Goroutines of Rust code want some room: a panic's report takes 20 KiB.
const STACK: usize = 256 << 10;

unsafe extern "C" fn call_box(arg: *mut c_void) {
    let f = Box::from_raw(arg as *mut Box<dyn FnOnce() + Send>);
    f();
}

fn go(f: impl FnOnce() + Send + 'static) {
    let f: Box<dyn FnOnce() + Send> = Box::new(f);
    let opt = GoOptions {
        stack_size: STACK,
        name: b"rust\0".as_ptr() as *const c_char,
        lock_thread: false,
        exceptions: false,
        reserved: [0; 3],
    };
    let arg = Box::into_raw(Box::new(f)) as *mut c_void;
    assert!(unsafe { gamp_go_with(&opt, call_box, arg) } > 0);
}

#[derive(Clone, Copy)]
struct Chan(*mut c_void);
unsafe impl Send for Chan {}

impl Chan {
    fn new(cap: usize) -> Chan {
        Chan(unsafe { gamp_chan_new(8, cap) })
    }
    fn send(&self, v: u64) -> c_int {
        unsafe { gamp_chan_send(self.0, &v as *const u64 as *const c_void) }
    }
    fn recv(&self) -> Option<u64> {
        let mut v = 0u64;
        let r = unsafe {
            gamp_chan_recv(self.0, &mut v as *mut u64 as *mut c_void)
        };
        assert!(r == 0 || r == EPIPE);
        if r == 0 { Some(v) } else { None }
    }
}

fn case(op: c_int, ch: *mut c_void, elem: *mut u64, at: i64) -> Case {
    Case { op, err: 0, ch, elem: elem as *mut c_void, at, opaque: [0; 8] }
}

static SUM: AtomicU64 = AtomicU64::new(0);
const N: u64 = 100;

fn catches(n: u64) -> u64 {
    let r = panic::catch_unwind(|| {
        unsafe { gamp_yield() };
        if n % 2 == 0 {
            panic::resume_unwind(Box::new(n));
        }
        n
    });
    match r {
        Ok(v) => v,
        Err(e) => *e.downcast::<u64>().unwrap(),
    }
}

fn selects(a: Chan, b: Chan, want: u64) {
    let (mut x, mut y, mut got) = (0u64, 0u64, 0u64);
    while got < want {
        let mut cases = [
            case(RECV, a.0, &mut x, 0),
            case(RECV, b.0, &mut y, 0),
            case(DEADLINE, ptr::null_mut(), ptr::null_mut(),
                 unsafe { gamp_now() } + 20_000_000_000),
        ];
        let i = unsafe { gamp_select(cases.as_mut_ptr(), 3) };
        assert!(i == 0 || i == 1, "select gave {}", i);
        SUM.fetch_add(if i == 0 { x } else { y }, Ordering::Relaxed);
        got += 1;
    }
}

unsafe extern "C" fn start(_arg: *mut c_void) {
    let (a, b, done) = (Chan::new(0), Chan::new(4), Chan::new(1));
    assert!(gamp_self() > 0);
    for i in 0..N {
        go(move || {
            assert!(unsafe { gamp_sleep(1000) } == 0);
            assert!(unsafe { gamp_checkpoint() } == 0);
            assert!(a.send(catches(i)) == 0);
        });
    }
    let beside = thread::spawn(move || {
        let b = { b };
        assert!(unsafe { gamp_self() } == 0);
        for i in 0..N {
            assert!(b.send(i) == 0);
        }
    });
    go(move || {
        selects(a, b, 2 * N);
        assert!(done.send(1) == 0);
    });
    assert!(done.recv() == Some(1));
    assert!(gamp_chan_close(done.0) == 0 && done.recv().is_none());
    beside.join().unwrap();
    for ch in [a, b, done] {
        assert!(gamp_chan_free(ch.0) == 0);
    }
}

fn main() {
    let mut opt: Options = unsafe { std::mem::zeroed() };
    for procs in [1, 2, 4] {
        for here in [false, true] {
            SUM.store(0, Ordering::Relaxed);
            opt.maxprocs = procs;
            opt.main_thread = here;
            assert!(unsafe { gamp_run(start, ptr::null_mut(), &opt) } == 0);
            assert!(SUM.load(Ordering::Relaxed) == N * (N - 1));
        }
    }
    println!("done");
}
