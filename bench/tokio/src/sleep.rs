// SPDX-License-Identifier: MIT

// Twin of sleep.c, of Sleepers only: a Sleep ends at a whole millisecond.

use crate::bench::{env, rows, wanted, Bench};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{sleep, Duration};

pub fn main() {
    rows(|procs| async move {
        let name = format!("Sleepers/procs={}", procs);
        if wanted(&name) {
            for _ in 0..env("BENCH_COUNT", 1) {
                let b = sleepers().await;
                b.print(&name, &[(b.cpu() / 1e9, "cpu-s")]);
            }
        }
    });
}

static LEFT: AtomicU64 = AtomicU64::new(0);

async fn sleepers() -> Bench {
    let n = env("BENCH_GOROUTINES", 1000000);
    let mut b = Bench::new(n, 0);
    let mut rnd = 1u64;
    LEFT.store(n, Ordering::Release);
    b.start();
    for _ in 0..n {
        rnd = rnd
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let ns = 1000000000 + (rnd >> 34) % 1000000000;
        tokio::spawn(async move {
            sleep(Duration::from_nanos(ns)).await;
            LEFT.fetch_sub(1, Ordering::Release);
        });
    }
    while LEFT.load(Ordering::Acquire) > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    b.stop();
    b
}
