//! The `vsa` program.

fn main() {}
