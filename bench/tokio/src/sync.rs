// SPDX-License-Identifier: MIT

// Twin of sync.c.  Tokio has no condition: two Notify, without a mutex, stand
// for CondRound.

use crate::bench::{check, rows, run, Bench};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use tokio::sync::{Mutex, Notify};

pub fn main() {
    rows(|procs| async move {
        for g in [1, 64] {
            run(format!("Mutex/g={}/procs={}", g, procs), lock, g).await;
        }
        run(format!("CondRound/procs={}", procs), round_trip, 0).await;
    });
}

async fn lock(mut b: Bench) -> Bench {
    let each = (b.n + b.arg - 1) / b.arg;
    b.n = each * b.arg;
    let count = Arc::new(Mutex::new(0u64));
    let mut running = Vec::new();
    b.start();
    for _ in 0..b.arg {
        let count = count.clone();
        running.push(tokio::spawn(async move {
            for _ in 0..each {
                *count.lock().await += 1;
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
    b.stop();
    check("locks", *count.lock().await, b.n);
    b
}

#[derive(Default)]
struct Game {
    turned: [Notify; 2],
    moves: AtomicU64,
}

impl Game {
    async fn play(&self, who: usize, n: u64) {
        for _ in 0..n {
            self.turned[who].notified().await;
            // Not at once: the turn guards it.
            self.moves.store(self.moves.load(Relaxed) + 1, Relaxed);
            self.turned[1 - who].notify_one();
        }
    }
}

async fn round_trip(mut b: Bench) -> Bench {
    let game = Arc::new(Game::default());
    let other = game.clone();
    b.start();
    let second = tokio::spawn(async move { other.play(1, b.n).await });
    game.turned[0].notify_one();
    game.play(0, b.n).await;
    second.await.unwrap();
    b.stop();
    check("moves", game.moves.load(Relaxed), 2 * b.n);
    b
}
