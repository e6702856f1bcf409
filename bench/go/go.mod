module gamp/bench

go 1.19
