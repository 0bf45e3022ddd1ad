//! Has vsa built anew when a file comes to `stacks/`, or goes: its stacks are part of the program.

fn main() {
    println!("cargo::rerun-if-changed=stacks");
}
