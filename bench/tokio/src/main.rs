// SPDX-License-Identifier: MIT

// The twins: the same questions as in the C files beside this directory,
// asked of Tokio, with the same rows and the same lines of output.
//
//     cargo build --release && target/release/twin chan cap=100

mod after;
mod bench;
mod chan;
mod fib;
mod ring;
mod select;
mod skynet;
mod sleep;
mod sync;

const TWINS: &[(&str, fn())] = &[
    ("after", after::main),
    ("chan", chan::main),
    ("fib", fib::main),
    ("ring", ring::main),
    ("select", select::main),
    ("skynet", skynet::main),
    ("sleep", sleep::main),
    ("sync", sync::main),
];

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match TWINS.iter().find(|t| t.0 == name) {
        Some(t) => (t.1)(),
        None => {
            let names: Vec<_> = TWINS.iter().map(|t| t.0).collect();
            bench::fail(&format!("usage: twin {} [word]", names.join("|")))
        }
    }
}
