//! The command line of Tandem, and nothing else.

fn main() {}
