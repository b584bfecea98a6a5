//! `make demo` tells the truth: it ends well with a server that remembers, and only with one.

use std::process::Command;

fn demo(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_demo_ends_well() {
    let (code, said) = demo(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("kept its address").count(), 4, "{said}");
    assert!(said.contains("Nobody lost an address"), "{said}");
}

#[test]
fn the_demo_of_a_server_that_forgets_fails() {
    let (code, said) = demo(&["--forget"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("its lease was forgotten"), "{said}");
}
