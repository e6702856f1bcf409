// SPDX-License-Identifier: MIT

// Twin of after.c: a Sleep that is polled once, so that it is armed, and
// dropped.  One that was stopped cannot be armed again: no stop+reset.

use crate::bench::{fail, rows, run, Bench};
use std::future::ready;
use std::pin::Pin;
use tokio::time::{sleep, Duration, Instant, Sleep};

const HOUR: Duration = Duration::from_secs(3600);

pub fn main() {
    rows(|procs| async move {
        for others in [0, 10000] {
            let mut other = Vec::new();
            for i in 0..others {
                let mut t = Box::pin(sleep(HOUR + Duration::from_secs(i)));
                arm(t.as_mut()).await;
                other.push(t);
            }
            let name = |what| {
                format!("Timer/{}/others={}/procs={}", what, others, procs)
            };
            run(name("start+stop"), start_stop, 0).await;
            run(name("reset"), reset, 0).await;
        }
    });
}

async fn arm(t: Pin<&mut Sleep>) {
    tokio::select! {
        biased;
        _ = t => fail("a timer fired an hour early"),
        _ = ready(()) => {}
    }
}

async fn start_stop(mut b: Bench) -> Bench {
    b.start();
    for _ in 0..b.n {
        let t = sleep(HOUR);
        tokio::pin!(t);
        arm(t).await;
    }
    b.stop();
    b
}

async fn reset(mut b: Bench) -> Bench {
    let t = sleep(HOUR);
    tokio::pin!(t);
    arm(t.as_mut()).await;
    b.start();
    for _ in 0..b.n {
        t.as_mut().reset(Instant::now() + HOUR);
    }
    b.stop();
    arm(t).await;
    b
}
