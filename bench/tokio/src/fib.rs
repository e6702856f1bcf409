// SPDX-License-Identifier: MIT

// Twin of fib.c: Fib/chan joins by a oneshot channel, Fib/wg by the task's
// JoinHandle.  An async function that calls itself must box its future.

use crate::bench::{check, rows, run, Bench};
use std::future::Future;
use std::pin::Pin;
use tokio::sync::oneshot;

const TASKS: u64 = 1346268;

pub fn main() {
    rows(|procs| async move {
        run(format!("Fib/chan/procs={}", procs), fib, 0).await;
        run(format!("Fib/wg/procs={}", procs), fib, 1).await;
    });
}

async fn fib(mut b: Bench) -> Bench {
    let f = if b.arg == 0 { fib_chan } else { fib_join };
    let times = (b.n + TASKS - 1) / TASKS;
    b.n = times * TASKS;
    b.start();
    for _ in 0..times {
        check("fib", f(30).await, 832040);
    }
    b.stop();
    b
}

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

fn fib_chan(n: u64) -> Boxed {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let (tx, left) = oneshot::channel();
        tokio::spawn(async move { tx.send(fib_chan(n - 1).await).unwrap() });
        let sum = fib_chan(n - 2).await;
        sum + left.await.unwrap()
    })
}

fn fib_join(n: u64) -> Boxed {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = tokio::spawn(fib_join(n - 1));
        let sum = fib_join(n - 2).await;
        sum + left.await.unwrap()
    })
}
