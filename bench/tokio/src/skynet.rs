// SPDX-License-Identifier: MIT

// Twin of skynet.c, with channels of capacity 1.

use crate::bench::{check, env, rows, wanted, Bench};
use tokio::sync::mpsc;

pub fn main() {
    rows(|procs| async move {
        let name = format!("Skynet/procs={}", procs);
        if !wanted(&name) {
            return;
        }
        tree().await;
        for _ in 0..env("BENCH_COUNT", 5) {
            let b = tree().await;
            b.print(&name, &[(b.wall() / 1e6, "ms")]);
        }
    });
}

async fn tree() -> Bench {
    let mut b = Bench::new(1111111, 0);
    let (up, mut rx) = mpsc::channel(1);
    b.start();
    node(up, 0, 1000000);
    let sum = rx.recv().await.unwrap();
    b.stop();
    check("sum of the leaves", sum, 499999500000);
    b
}

// Not async itself: a future may not contain its own type.
fn node(up: mpsc::Sender<u64>, first: u64, leaves: u64) {
    tokio::spawn(async move {
        if leaves == 1 {
            up.send(first).await.unwrap();
            return;
        }
        let (tx, mut rx) = mpsc::channel(1);
        for i in 0..10 {
            node(tx.clone(), first + i * (leaves / 10), leaves / 10);
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += rx.recv().await.unwrap();
        }
        up.send(sum).await.unwrap();
    });
}
