// SPDX-License-Identifier: MIT

// Twin of select.c.  Tokio's select has no default: a future that is ready
// at once, as the last of a biased select, is the same.

use crate::bench::{check, fail, rows, run, Bench};
use std::future::ready;
use tokio::sync::mpsc::{channel, Receiver};

pub fn main() {
    rows(|procs| async move {
        let name = |s: &str| format!("{}/procs={}", s, procs);
        run(name("SelectRound/cases=2"), round_trip, 0).await;
        run(name("SelectDefault/cases=1"), nothing1, 0).await;
        run(name("SelectDefault/cases=2"), nothing2, 0).await;
        run(name("TryRecv"), try_recv, 0).await;
    });
}

// Some: the sender is gone before its last number has been received.
async fn pick(one: &mut Receiver<u64>, two: &mut Receiver<u64>) -> u64 {
    tokio::select! {
        Some(v) = one.recv() => v,
        Some(v) = two.recv() => v,
        else => fail("select: both are closed"),
    }
}

async fn round_trip(mut b: Bench) -> Bench {
    let (there0, mut rx0) = channel::<u64>(1);
    let (there1, mut rx1) = channel::<u64>(1);
    let (tx0, mut back0) = channel::<u64>(1);
    let (tx1, mut back1) = channel::<u64>(1);
    let there = [there0, there1];
    let mut last = 0;
    b.start();
    let echo = tokio::spawn(async move {
        let tx = [tx0, tx1];
        for i in 0..b.n {
            let v = pick(&mut rx0, &mut rx1).await;
            tx[i as usize & 1].send(v + 1).await.unwrap();
        }
    });
    for i in 0..b.n {
        there[i as usize & 1].send(last).await.unwrap();
        last = pick(&mut back0, &mut back1).await;
    }
    echo.await.unwrap();
    b.stop();
    check("round trips", last, b.n);
    b
}

async fn nothing1(mut b: Bench) -> Bench {
    let (_tx, mut one) = channel::<u64>(1);
    let mut defaults = 0;
    b.start();
    for _ in 0..b.n {
        tokio::select! {
            biased;
            _ = one.recv() => {}
            _ = ready(()) => defaults += 1,
        }
    }
    b.stop();
    check("defaults", defaults, b.n);
    b
}

async fn nothing2(mut b: Bench) -> Bench {
    let (_tx1, mut one) = channel::<u64>(1);
    let (_tx2, mut two) = channel::<u64>(1);
    let mut defaults = 0;
    b.start();
    for _ in 0..b.n {
        tokio::select! {
            biased;
            _ = one.recv() => {}
            _ = two.recv() => {}
            _ = ready(()) => defaults += 1,
        }
    }
    b.stop();
    check("defaults", defaults, b.n);
    b
}

async fn try_recv(mut b: Bench) -> Bench {
    let (_tx, mut rx) = channel::<u64>(1);
    let mut none = 0;
    b.start();
    for _ in 0..b.n {
        none += rx.try_recv().is_err() as u64;
    }
    b.stop();
    check("tries", none, b.n);
    b
}
