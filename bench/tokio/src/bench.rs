// SPDX-License-Identifier: MIT

// What bench.h is to the C files.

use std::future::Future;
use std::str::FromStr;

#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}

extern "C" {
    fn clock_gettime(id: i32, ts: *mut Timespec) -> i32;
}

fn clock(id: i32) -> i64 {
    let mut ts = Timespec { sec: 0, nsec: 0 };
    // SAFETY: ts is valid, and of the layout that 64-bit Linux has.
    unsafe { clock_gettime(id, &mut ts) };
    ts.sec * 1_000_000_000 + ts.nsec
}

#[derive(Clone, Copy, Default)]
pub struct Bench {
    pub n: u64,
    pub arg: u64,
    t0: i64,
    t1: i64,
    c0: i64,
    c1: i64,
}

impl Bench {
    pub fn new(n: u64, arg: u64) -> Bench {
        Bench {
            n,
            arg,
            ..Default::default()
        }
    }

    /// The monotonic clock, and processor time of this process.
    pub fn start(&mut self) {
        self.c0 = clock(2);
        self.t0 = clock(1);
    }

    pub fn stop(&mut self) {
        self.t1 = clock(1);
        self.c1 = clock(2);
    }

    pub fn wall(&self) -> f64 {
        (self.t1 - self.t0) as f64
    }

    pub fn cpu(&self) -> f64 {
        (self.c1 - self.c0) as f64
    }

    /// One line, with more values after those that all have.
    pub fn print(&self, name: &str, more: &[(f64, &str)]) {
        let n = self.n as f64;
        let mut line = format!(
            "Benchmark{}\t{}\t{:.2} ns/op\t{:.2} cpu-ns/op",
            name,
            self.n,
            self.wall() / n,
            self.cpu() / n
        );
        for (v, unit) in more {
            line += &format!("\t{:.2} {}", v, unit);
        }
        println!("{}", line);
    }
}

pub fn fail(what: &str) -> ! {
    eprintln!("{}", what);
    std::process::exit(1)
}

/// The end of a run that gave another result than it must.
pub fn check(what: &str, is: u64, want: u64) {
    if is != want {
        fail(&format!("{}: {} instead of {}", what, is, want));
    }
}

pub fn env<T: FromStr>(name: &str, dflt: T) -> T {
    match std::env::var(name) {
        Ok(s) => s.parse().unwrap_or_else(|_| fail(name)),
        Err(_) => dflt,
    }
}

pub fn wanted(name: &str) -> bool {
    name.contains(&std::env::args().nth(2).unwrap_or_default())
}

pub async fn run<F, R>(name: String, f: F, arg: u64)
where
    F: Fn(Bench) -> R,
    R: Future<Output = Bench>,
{
    if !wanted(&name) {
        return;
    }
    let want = env("BENCH_NS", 500e6);
    let mut b = Bench::new(1, arg);
    loop {
        b = f(b).await;
        if b.wall() >= want {
            break;
        }
        b.n += b.n + b.n / 2 + 1;
    }
    for _ in 0..env("BENCH_COUNT", 5) {
        b = f(b).await;
        b.print(&name, &[]);
    }
}

/// The rows of one program, with one worker and with two.  They run in a
/// task: what block_on runs is no worker's.
pub fn rows<F, R>(f: F)
where
    F: Fn(usize) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    for procs in 1..=2 {
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(procs)
            .enable_all()
            .build()
            .unwrap();
        let rows = f(procs);
        rt.block_on(async { tokio::spawn(rows).await.unwrap() });
    }
}
