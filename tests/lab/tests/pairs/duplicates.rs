//! Orders of events that make two dhcpd give one address to two clients, and two Tandems not: `interop/duplicates.sh`.

use lab::build;
use std::path::Path;
use std::process::Command;

fn interop() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// Runs one of them: exit code, and what it printed. Each has namespaces and a folder with names of its own.
fn run(trap: &str, server: &str) -> (Option<i32>, String) {
    let names = format!("ld{}{}{}", std::process::id(), &server[..1], &trap[1..]);
    let folder = std::env::temp_dir().join(format!("tandem-{names}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    // A copy of dhcpd, where no profile of AppArmor knows it.
    let programs = folder.with_extension("bin");
    std::fs::create_dir_all(&programs).unwrap();
    let mut script = Command::new(interop().join("duplicates.sh"));
    script.arg(trap).env("NS", &names).env("LAB", &folder);
    if server == "dhcpd" {
        build::unconfined("dhcpd", &programs);
        let path = std::env::var("PATH").unwrap_or_default();
        script.env("PATH", format!("{}:{path}", programs.display()));
    } else {
        script.env("LABCMD", interop().join("tandem-lab.sh")).env("TANDEM", build::tandem());
    }
    let output = script.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{trap} with {server}:\n{said}");
    if std::env::var_os("LAB_KEEP").is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    let _ = std::fs::remove_dir_all(&programs);
    (output.status.code(), said)
}

fn two_dhcpd(trap: &str) {
    let (code, said) = run(trap, "dhcpd");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("] DUPLICATE: "), "{said}");
}

fn two_tandem(trap: &str) {
    let (code, said) = run(trap, "tandem");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("] no duplicate"), "{said}");
    assert!(said.contains("] pair in NORMAL"), "{said}");
}

#[test]
fn t15_with_two_dhcpd() {
    two_dhcpd("t15");
}

#[test]
fn t16_with_two_dhcpd() {
    two_dhcpd("t16");
}

#[test]
fn t18_with_two_dhcpd() {
    two_dhcpd("t18");
}

#[test]
fn t15_with_two_tandem() {
    two_tandem("t15");
}

#[test]
fn t16_with_two_tandem() {
    two_tandem("t16");
}

#[test]
fn t18_with_two_tandem() {
    two_tandem("t18");
}
