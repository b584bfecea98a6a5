//! Programs: ours, built when needed, and copies of others.
//!
//! *Lives here:* where each binary is.
//! *Must not know:* what they do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What Tandem prints when it serves.
pub const READY: &str = " serves ";

/// The binary `tandem`: the one that the variable `TANDEM` names, else a fresh one of this workspace.
#[track_caller]
pub fn tandem() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("TANDEM") {
            return fs::canonicalize(&path)
                .unwrap_or_else(|error| panic!("TANDEM={}: {error}", path.display()));
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        // With the profile in which the tests' crates are there already.
        build.args(["build", "--locked", "--profile", "test", "--package", "tandem", "--bin", "tandem"]);
        build.arg("--message-format=json-render-diagnostics");
        let output = build.arg("--manifest-path").arg(manifest).output().unwrap();
        assert!(
            output.status.success(),
            "tandem does not build: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8(output.stdout).unwrap();
        let path = said.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            (message["target"]["name"] == "tandem")
                .then(|| message["executable"].as_str().map(PathBuf::from))?
        });
        path.expect("cargo names the executable")
    })
}

/// A copy of a program, where no profile of AppArmor knows it: profiles bind by path.
pub fn unconfined(program: &str, folder: &Path) -> PathBuf {
    let from = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        .iter()
        .map(|place| Path::new(place).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{program} is not installed: scripts/setup.sh does that"));
    let copy = folder.join(program);
    if !copy.exists() {
        // By another process: were the copy open for writing in this one, a program that another thread starts at this moment
        // would have it open too, and it could not be run.
        let status = Command::new("cp").arg(&from).arg(&copy).status().unwrap();
        assert!(status.success(), "{} could not be copied: {status}", from.display());
    }
    copy
}

/// A program written in C beside this crate, compiled.
#[track_caller]
pub fn compiled(source: &str, output: &Path, flags: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(source);
    let mut gcc = Command::new("gcc");
    let built =
        gcc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(output).args(flags).arg(source).arg("-ldl").output();
    let built = built.expect("gcc is there");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
