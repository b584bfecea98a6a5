//! The house rules of this repository, as functions over its text.
//!
//! *Lives here:* the detectors; `tests/house.rs` runs them over the repository.
//! *Must not know:* what the code does.

pub mod conformance;
pub mod field;

/// Longest file in lines.
pub const FILE_LINES: usize = 800;

/// Longest function in lines.
pub const FUNCTION_LINES: usize = 70;

/// The crates that each crate may name: the only arrows there are.
pub const ARROWS: &[(&str, &[&str])] = &[
    ("dhcp", &[]),
    ("failover", &[]),
    ("engine", &["dhcp", "failover"]),
    ("store", &[]),
    ("config", &["dhcp", "engine", "failover"]),
    ("server", &["config", "dhcp", "engine", "failover", "store"]),
    ("sim", &["dhcp", "engine", "failover", "store"]),
    ("tandem", &["config", "server", "sim", "store"]),
    ("tidy", &[]),
    // Measures the others; nobody names it.
    ("benches", &["dhcp", "engine", "failover", "store"]),
    ("lab", &["dhcp"]),
];

/// Our crates that a manifest names and that it must not.
pub fn forbidden_arrows(krate: &str, manifest: &str) -> Vec<String> {
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let allowed = ARROWS.iter().find(|(name, _)| *name == krate).map_or(&[][..], |(_, allowed)| allowed);
    let dependencies = manifest.split("dependencies]").skip(1).flat_map(|part| {
        part.lines()
            .take_while(|line| !line.trim_start().starts_with('['))
            .map(|line| line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned())
    });
    dependencies.filter(|name| ours.contains(&name.as_str()) && !allowed.contains(&name.as_str())).collect()
}

/// Functions that are too long: their first lines, counted from 1, and their lengths. A function ends at the brace that stands
/// below its `fn`, as rustfmt puts it.
pub fn long_functions(source: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let head = line.trim_start();
        let is_function =
            ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "const fn ", "pub const fn "]
                .iter()
                .any(|start| head.starts_with(start));
        if !is_function || head.ends_with('}') || head.ends_with(';') {
            continue;
        }
        let end = lines[start..].iter().position(|line| {
            line.trim_start().starts_with('}') && line.len() - line.trim_start().len() == indent
        });
        if let Some(length) = end.filter(|length| length + 1 > FUNCTION_LINES) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

/// Whether a module says at its head what lives in it.
pub fn has_head(source: &str) -> bool {
    let head: String = source.lines().take_while(|line| line.starts_with("//!")).collect();
    head.contains("*Lives here")
}

/// Whether code, comments and texts left aside, is marked unsafe.
pub fn has_unsafe(source: &str) -> bool {
    source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .any(|line| line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_found() {
        let manifest = "[dependencies]\nstore.workspace = true\ndhcp = { path = \"\" }\n[dev-dependencies]\nsim.workspace = true\n";
        assert_eq!(forbidden_arrows("engine", manifest), ["store", "sim"]);
        assert_eq!(forbidden_arrows("unknown", "[dependencies]\ndhcp.workspace = true\n"), ["dhcp"]);
    }

    #[test]
    fn long_functions_are_found() {
        let body = "    let a = 1;\n".repeat(70);
        let source = format!("fn short() {{\n}}\n\npub fn long() {{\n{body}}}\n");
        assert_eq!(long_functions(&source), [(4, 72)]);
    }

    #[test]
    fn heads_and_unsafe_are_found() {
        assert!(has_head("//! A room.\n//!\n//! *Lives here:* all.\n"));
        assert!(!has_head("//! A room.\nfn x() {}\n//! *Lives here:*"));
        assert!(has_unsafe("let a = unsafe { b };"));
        assert!(!has_unsafe("// unsafe { b }"));
    }
}
