// SPDX-License-Identifier: MIT

// Twin of chan.c.  Tokio has no channel without capacity: capacity 1 stands
// for it.  A channel has one receiver: eight share it by a mutex.

use crate::bench::{check, rows, run, Bench};
use std::sync::Arc;
use tokio::sync::{mpsc, Mutex};

pub fn main() {
    rows(|procs| async move {
        run(format!("ChanRound/cap=0/procs={}", procs), round_trip, 0).await;
        for (name, arg) in [("cap=0/1:1", 1), ("cap=100/1:1", 100)] {
            let name = format!("ChanStream/{}/procs={}", name, procs);
            run(name, stream, arg).await;
        }
        let name = format!("ChanStream/cap=100/8:8/procs={}", procs);
        run(name, shared, 100).await;
    });
}

async fn round_trip(mut b: Bench) -> Bench {
    let (there, mut rx) = mpsc::channel::<u64>(1);
    let (tx, mut back) = mpsc::channel::<u64>(1);
    let mut v = 0;
    b.start();
    let echo = tokio::spawn(async move {
        for _ in 0..b.n {
            let v = rx.recv().await.unwrap();
            tx.send(v + 1).await.unwrap();
        }
    });
    for _ in 0..b.n {
        there.send(v).await.unwrap();
        v = back.recv().await.unwrap();
    }
    echo.await.unwrap();
    b.stop();
    check("round trips", v, b.n);
    b
}

async fn produce(tx: mpsc::Sender<u64>, each: u64) -> u64 {
    for i in 0..each {
        tx.send(i).await.unwrap();
    }
    0
}

async fn stream(mut b: Bench) -> Bench {
    let (tx, mut rx) = mpsc::channel::<u64>(b.arg as usize);
    b.start();
    let producer = tokio::spawn(produce(tx, b.n));
    let consumer = tokio::spawn(async move {
        let mut s = 0;
        for _ in 0..b.n {
            s += rx.recv().await.unwrap();
        }
        s
    });
    producer.await.unwrap();
    let sum = consumer.await.unwrap();
    b.stop();
    check("sum", sum, b.n * (b.n - 1) / 2);
    b
}

async fn shared(mut b: Bench) -> Bench {
    let each = (b.n + 7) / 8;
    b.n = each * 8;
    let (tx, rx) = mpsc::channel::<u64>(b.arg as usize);
    let rx = Arc::new(Mutex::new(rx));
    let mut running = Vec::new();
    b.start();
    for _ in 0..8 {
        running.push(tokio::spawn(produce(tx.clone(), each)));
        let rx = rx.clone();
        running.push(tokio::spawn(async move {
            let mut s = 0;
            for _ in 0..each {
                s += rx.lock().await.recv().await.unwrap();
            }
            s
        }));
    }
    let mut sum = 0;
    for task in running {
        sum += task.await.unwrap();
    }
    b.stop();
    check("sum", sum, b.n * (each - 1) / 2);
    b
}
