//! `tandem failover check` beside real dhcpd: its examples are theirs, and a pair that runs is looked at without harm.

use lab::pair::usual_beside_dhcpd;
use lab::{Lab, Pair, Side, build, seconds};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/config/tests/examples");

/// dhcpd is 15 s in STARTUP, and both wait for MCLT at their first meeting.
const FIRST: u64 = 120;

/// Exit code and standard output of `tandem failover check` on the machine of one side.
fn check(pair: &Pair, side: Side, ours: &Path, partner: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = pair.of(side).node.command(build::tandem());
    command.args(["failover", "check", "--ours"]).arg(ours).arg("--partner").arg(partner).args(more);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// What `dhcpd -t` says of a text.
fn accepted(lab: &Lab, text: &str) -> Result<(), String> {
    let node = lab.node("judge");
    let dhcpd = build::unconfined("dhcpd", node.folder());
    let (conf, leases) = (node.folder().join("dhcpd.conf"), node.folder().join("dhcpd.leases"));
    std::fs::copy(Path::new(EXAMPLES).join("campus.conf"), node.folder().join("campus.conf")).unwrap();
    let text = text.replace("\"campus.conf\"", &format!("\"{}/campus.conf\"", node.folder().display()));
    std::fs::write(&conf, text).unwrap();
    std::fs::write(&leases, "").unwrap();
    let mut command = node.command(dhcpd);
    let output = command.args(["-4", "-t", "-cf"]).arg(&conf).arg("-lf").arg(&leases).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// What the examples have is dhcpd's own language, and what is called a fault of them keeps it from starting.
#[test]
fn dhcpd_takes_the_examples_and_refuses_their_faults() {
    let read = |name: &str| std::fs::read_to_string(Path::new(EXAMPLES).join(name)).unwrap();
    let (primary, secondary) = (read("primary.conf"), read("secondary.conf"));
    for text in [&primary, &secondary, &read("otherwise.conf")] {
        assert_eq!(accepted(&Lab::new("examples"), text), Ok(()));
    }
    for (text, old, new) in [
        (&primary, "mclt 1800;", ""),
        (&primary, "split 128;", ""),
        (&primary, "split 128;", "split 257;"),
        (&primary, "mclt 1800;", "mclt 1800"),
        (&primary, "peer address 192.0.2.2;", ""),
        (&primary, "\"campus\" {", "\"kampus\" {"),
        (&primary, "include \"campus.conf\";", ""),
        (&secondary, "secondary;", "secondary; split 128;"),
    ] {
        assert!(text.contains(old), "{old}");
        let refused = accepted(&Lab::new("examples"), &text.replacen(old, new, 1));
        assert!(refused.is_err(), "dhcpd takes {new} for {old}");
    }
}

/// Both sides look at a pair of two dhcpd that runs, five times: each is reached, the primary's clock is read, and neither
/// server leaves NORMAL or says a word about it. Then the file of the Tandem that is to join is held against the primary's.
#[test]
fn a_pair_of_dhcpd_that_runs_is_looked_at_and_goes_on() {
    let mut pair = Pair::two_dhcpd("fits", 30);
    pair.wait_for_normal(FIRST);
    let files: [PathBuf; 2] = Side::BOTH.map(|side| pair.of(side).server.configuration().to_owned());
    for _ in 0..5 {
        for side in Side::BOTH {
            let (own, other) = (&files[side as usize], &files[side.other() as usize]);
            let (code, said) = check(&pair, side, own, other, &["--live"]);
            assert_eq!(code, Some(0), "{said}");
            let heard = if side == Side::B {
                "its clock agrees with this host's"
            } else {
                "It said nothing by itself"
            };
            assert!(said.contains("PAIR-603") && said.contains(heard), "{}: {said}", side.name());
        }
    }
    std::thread::sleep(seconds(15));
    for side in Side::BOTH {
        assert_eq!(pair.standing(side).unwrap().state, "NORMAL");
        assert!(!pair.has_said(side, "move from normal"), "{} left NORMAL", side.name());
    }
    let setup = usual_beside_dhcpd(Side::B, Side::B, 30);
    let joins = pair.of(Side::B).node.folder().join("joins.toml");
    std::fs::write(&joins, setup.tandem(Path::new("/var/lib/tandem"))).unwrap();
    let (code, said) = check(&pair, Side::B, &joins, &files[0], &["--live"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Tandem and dhcpd, \"campus\": 0 errors"), "{said}");
    let other =
        std::fs::read_to_string(&joins).unwrap().replace("role = \"secondary\"", "role = \"primary\"");
    std::fs::write(&joins, other).unwrap();
    let (code, said) = check(&pair, Side::B, &joins, &files[0], &[]);
    assert!(code == Some(1) && said.contains("PAIR-203"), "{said}");
}

/// The same of two Tandems: whoever connects and says nothing takes nobody's place.
#[test]
fn a_pair_of_tandems_that_runs_is_looked_at_and_goes_on() {
    let mut pair = Pair::normal("fits-tandems", 30);
    let files: [PathBuf; 2] = Side::BOTH.map(|side| pair.of(side).server.configuration().to_owned());
    for _ in 0..5 {
        for side in Side::BOTH {
            let (own, other) = (&files[side as usize], &files[side.other() as usize]);
            let (code, said) = check(&pair, side, own, other, &["--live"]);
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("PAIR-603") && said.contains("the server runs already"), "{said}");
        }
    }
    std::thread::sleep(seconds(8));
    for side in Side::BOTH {
        let standing = pair.standing(side).unwrap();
        assert!(standing.state == "NORMAL" && standing.in_contact, "{}: {standing:?}", side.name());
        assert!(!pair.has_said(side, "COMMUNICATIONS-INTERRUPTED"), "{} left NORMAL", side.name());
    }
}
