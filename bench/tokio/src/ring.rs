// SPDX-License-Identifier: MIT

// Twin of ring.c, with channels of capacity 1.

use crate::bench::{check, rows, run, Bench};
use tokio::sync::mpsc;

pub fn main() {
    rows(|procs| async move {
        for g in [100, 10000] {
            run(format!("Ring/g={}/procs={}", g, procs), ring, g).await;
        }
    });
}

async fn ring(mut b: Bench) -> Bench {
    let g = b.arg;
    let rounds = (b.n + g - 1) / g;
    b.n = rounds * g;
    let mut running = Vec::new();
    let (first, mut from) = mpsc::channel::<u64>(1);
    for _ in 1..g {
        let (tx, rx) = mpsc::channel::<u64>(1);
        let mut mine = std::mem::replace(&mut from, rx);
        running.push(tokio::spawn(async move {
            for _ in 0..rounds + 1 {
                let v = mine.recv().await.unwrap();
                tx.send(v + 1).await.unwrap();
            }
        }));
    }
    first.send(1).await.unwrap();
    let mut v = from.recv().await.unwrap();
    b.start();
    for _ in 0..rounds {
        first.send(v + 1).await.unwrap();
        v = from.recv().await.unwrap();
    }
    b.stop();
    check("hops", v, b.n + g);
    for task in running {
        task.await.unwrap();
    }
    b
}
