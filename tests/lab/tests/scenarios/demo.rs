//! `make demo` tells the truth: it ends well with servers that remember, and only with such.

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
    assert!(said.matches("kept its address").count() >= 7, "{said}");
    assert!(said.matches("both are in NORMAL, by themselves").count() == 3, "{said}");
    assert!(said.contains("Nobody lost an address"), "{said}");
}

#[test]
fn the_demo_of_servers_that_forget_fails() {
    let (code, said) = demo(&["--forget"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Not every client kept its address"), "{said}");
    assert!(said.contains(": B answers"), "{said}");
}
