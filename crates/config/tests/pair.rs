//! What is found of two files, one fault at a time; and nothing where there is none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::Severity;
use config::pair::rules::RULES;
use config::pair::{Comparison, Kind, compare, compare_texts};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Two files of `tests/examples`.
type Pair = [&'static str; 2];

const DHCPDS: Pair = ["primary.conf", "secondary.conf"];
const JOINING: Pair = ["secondary.toml", "primary.conf"];
const TANDEMS: Pair = ["primary.toml", "secondary.toml"];

/// The side in which a text is changed.
const OURS: usize = 0;
const PARTNER: usize = 1;

fn example(name: &str) -> PathBuf {
    Path::new("tests/examples").join(name)
}

/// The text of an example, with what it includes in its place: a change may be anywhere in it.
fn text(name: &str) -> String {
    let text = std::fs::read_to_string(example(name)).unwrap();
    let included = std::fs::read_to_string(example("campus.conf")).unwrap();
    // Two Tandems are no partners of a dhcpd.
    text.replace("include \"campus.conf\";\n", &included)
}

fn compared(pair: Pair, change: impl Fn(usize, &mut String)) -> Comparison {
    let mut texts = pair.map(text);
    for (side, text) in texts.iter_mut().enumerate() {
        if pair == TANDEMS {
            *text = text.replace("partner-kind = \"dhcpd\"\n", "");
        }
        change(side, text);
    }
    let [ours, partner] = pair.map(Path::new);
    compare_texts([(ours, &texts[0]), (partner, &texts[1])])
}

/// One change, of which the old text must be there.
fn changed(pair: Pair, side: usize, old: &str, new: &str) -> Comparison {
    compared(pair, |of, text| {
        if of == side {
            assert!(text.contains(old), "{} has no {old}", pair[side]);
            *text = text.replacen(old, new, 1);
        }
    })
}

fn numbers(comparison: &Comparison) -> BTreeSet<u16> {
    comparison.findings.iter().map(|finding| finding.rule.number).collect()
}

/// All but what is said of every pair of that kind.
fn shown(comparison: &Comparison, usual: &BTreeSet<u16>) -> String {
    let mut shown = String::new();
    for finding in comparison.findings.iter().filter(|finding| !usual.contains(&finding.rule.number)) {
        writeln!(shown, "{}\n", finding.render(false)).unwrap();
    }
    shown
}

struct Fault {
    name: &'static str,
    pair: Pair,
    side: usize,
    old: &'static str,
    new: &'static str,
    /// The rule that must find it.
    rule: u16,
}

const fn fault(
    name: &'static str,
    pair: Pair,
    side: usize,
    [old, new]: [&'static str; 2],
    rule: u16,
) -> Fault {
    Fault { name, pair, side, old, new, rule }
}

const FAULTS: &[Fault] = &[
    fault("semicolon", DHCPDS, OURS, ["mclt 1800;", "mclt 1800"], 101),
    fault("no-mclt", DHCPDS, OURS, ["mclt 1800;", ""], 101),
    fault("no-split", DHCPDS, OURS, ["split 128;", ""], 101),
    fault("split-of-secondary", DHCPDS, PARTNER, ["secondary;", "secondary; split 128;"], 101),
    fault("outside-of-subnet", DHCPDS, OURS, ["range 10.1.144.7;", "range 10.2.144.7;"], 101),
    fault(
        "unknown-peer",
        DHCPDS,
        OURS,
        ["range 10.3.0.10", "failover peer \"kampus\"; range 10.3.0.10"],
        101,
    ),
    fault("toml-key", JOINING, OURS, ["delayed-service", "delayed-servise"], 101),
    fault(
        "unread",
        DHCPDS,
        OURS,
        ["authoritative;", "authoritative; if exists user-class { deny booting; }"],
        103,
    ),
    fault("no-relationship", JOINING, PARTNER, ["failover peer \"campus\" {", "zone x {"], 201),
    fault("name", JOINING, OURS, ["name = \"campus\"", "name = \"Campus\""], 101),
    fault("roles", JOINING, OURS, ["\"secondary\"", "\"primary\""], 203),
    fault("address", DHCPDS, PARTNER, ["peer address 192.0.2.1;", "peer address 192.0.2.11;"], 204),
    fault("port", JOINING, PARTNER, ["peer port 647;", "peer port 847;"], 204),
    fault("partner-kind", JOINING, OURS, ["partner-kind = \"dhcpd\"\n", ""], 205),
    fault("secret", TANDEMS, PARTNER, ["mclt", "secret-file = \"/etc/tandem/campus.secret\"\nmclt"], 206),
    fault("no-role", DHCPDS, OURS, ["  primary;\n", ""], 207),
    fault("address-by-name", DHCPDS, OURS, ["  address 192.0.2.1;", "  address tandem-a.example;"], 208),
    fault(
        "other-partner",
        JOINING,
        OURS,
        [
            "[[failover]]",
            "[[failover]]\nname = \"hub\"\nrole = \"primary\"\nlisten = \"192.0.2.2\"\npartner = \"192.0.2.9\"\n\n[[failover]]",
        ],
        209,
    ),
    fault("mclt", JOINING, OURS, ["mclt = \"30m\"", "mclt = \"20m\""], 210),
    fault("mclt-of-secondary", DHCPDS, PARTNER, ["secondary;", "secondary; mclt 1800;"], 211),
    fault("mclt-over-lease", DHCPDS, OURS, ["mclt 1800;", "mclt 3601;"], 212),
    fault("mclt-long", DHCPDS, OURS, ["mclt 1800;", "mclt 7200;"], 213),
    fault("split", JOINING, OURS, ["mclt =", "split = 200\nmclt ="], 214),
    fault(
        "hba",
        JOINING,
        PARTNER,
        [
            "split 128;",
            "hba aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:\n  aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa;",
        ],
        215,
    ),
    fault("delay", JOINING, OURS, ["delayed-service = \"3s\"\n", ""], 216),
    fault("balancing-off", DHCPDS, PARTNER, ["load balance max seconds 3;", ""], 217),
    fault("no-max-unacked", DHCPDS, OURS, ["max-unacked-updates 64;", ""], 218),
    fault("max-unacked", DHCPDS, OURS, ["max-unacked-updates 64;", "max-unacked-updates 5000;"], 219),
    fault("timers", JOINING, PARTNER, ["max-response-delay 20;", "max-response-delay 60;"], 220),
    fault("timer-range", DHCPDS, OURS, ["max-response-delay 20;", "max-response-delay 1;"], 221),
    fault("auto-partner-down", DHCPDS, OURS, ["mclt", "auto-partner-down 300; mclt"], 222),
    fault("safe-period", JOINING, OURS, ["mclt", "safe-period = \"1h\"\nmclt"], 222),
    fault(
        "subnet-missing",
        JOINING,
        PARTNER,
        [
            "class \"phones\"",
            "subnet 10.5.0.0 netmask 255.255.255.0 { pool { failover peer \"campus\"; deny dynamic bootp clients; range 10.5.0.10 10.5.0.20; } } class \"phones\"",
        ],
        301,
    ),
    fault(
        "subnet-alone",
        DHCPDS,
        PARTNER,
        [
            "class \"phones\"",
            "subnet 10.5.0.0 netmask 255.255.255.0 { range 10.5.0.10 10.5.0.20; } class \"phones\"",
        ],
        302,
    ),
    fault(
        "netmask",
        DHCPDS,
        PARTNER,
        ["subnet 10.1.0.0 netmask 255.255.0.0", "subnet 10.0.0.0 netmask 255.254.0.0"],
        303,
    ),
    fault(
        "shared-network",
        JOINING,
        OURS,
        ["subnets = [\"10.3.0.0/24\", \"10.3.1.0/24\"]", "subnets = [\"10.3.0.0/24\"]"],
        304,
    ),
    fault("ranges", JOINING, OURS, ["10.1.16.0-10.1.127.255", "10.1.17.0-10.1.128.63"], 305),
    fault(
        "shared-by-one",
        JOINING,
        OURS,
        ["range = \"10.3.1.10-10.3.1.250\"\nfailover = \"campus\"", "range = \"10.3.1.10-10.3.1.250\""],
        306,
    ),
    fault("bootp", JOINING, PARTNER, ["deny dynamic bootp clients;", ""], 309),
    fault(
        "twice",
        DHCPDS,
        OURS,
        ["range 10.1.144.7;", "range 10.1.144.7; range 10.1.127.250 10.1.128.5;"],
        310,
    ),
    fault(
        "permits",
        JOINING,
        PARTNER,
        ["range 10.3.0.10", "allow members of \"phones\"; range 10.3.0.10"],
        311,
    ),
    fault("lease-time", JOINING, OURS, ["lease-time = \"8h\"", "lease-time = \"9h\""], 312),
    fault("max-lease-time", JOINING, PARTNER, ["max-lease-time 86400;", "max-lease-time 172800;"], 313),
    fault("min-lease-time", JOINING, PARTNER, ["min-lease-time 60;", ""], 314),
    fault(
        "renewal",
        JOINING,
        PARTNER,
        ["option routers 10.1.0.1;", "option routers 10.1.0.1; option dhcp-renewal-time 600;"],
        315,
    ),
    fault("option-everywhere", JOINING, OURS, ["\"10.0.0.53\", \"10.0.0.54\"", "\"10.0.0.53\""], 316),
    fault("option-missing", DHCPDS, PARTNER, ["  option controller 10.1.0.7;\n", ""], 316),
    fault(
        "boot",
        DHCPDS,
        OURS,
        ["option routers 10.1.0.1;", "option routers 10.1.0.1; filename \"pxelinux.0\";"],
        317,
    ),
    fault("authoritative", JOINING, PARTNER, ["authoritative;", ""], 318),
    fault(
        "unknown-clients",
        JOINING,
        PARTNER,
        ["authoritative;", "authoritative; deny unknown-clients;"],
        319,
    ),
    fault("reserved-for-other", JOINING, OURS, ["02:00:00:00:00:01", "02:00:00:00:00:02"], 401),
    fault("other-reserved", DHCPDS, OURS, ["fixed-address 10.1.0.9;", "fixed-address 10.1.0.8;"], 402),
    fault(
        "reserved-by-one",
        JOINING,
        OURS,
        ["[[subnet.reservation]]\nclient-identifier = \"hex:007363\"\naddress = \"10.1.0.10\"\n", ""],
        403,
    ),
    fault("reserved-in-pool", JOINING, OURS, ["address = \"10.1.0.10\"", "address = \"10.1.20.10\""], 404),
    fault("reserved-in-own-pool", DHCPDS, OURS, ["fixed-address 10.1.0.9;", "fixed-address 10.1.16.9;"], 405),
    fault("reserved-options", JOINING, OURS, ["print.example", "prints.example"], 406),
    fault("no-omapi", JOINING, PARTNER, ["omapi-port 7911;", ""], 507),
];

#[test]
fn each_fault_is_found() {
    for Fault { name, pair, side, old, new, rule } in FAULTS {
        let comparison = changed(*pair, *side, old, new);
        assert!(numbers(&comparison).contains(rule), "{name}: {:?}", numbers(&comparison));
        let usual = numbers(&compared(*pair, |_, _| {}));
        let usual = usual.into_iter().filter(|number| number != rule).collect();
        insta::assert_snapshot!(*name, shown(&comparison, &usual));
    }
}

#[test]
fn pools_that_nobody_or_somebody_else_shares() {
    let unshared = compared(JOINING, |side, text| {
        *text = if side == OURS {
            text.replace(
                "range = \"10.3.1.10-10.3.1.250\"\nfailover = \"campus\"",
                "range = \"10.3.1.10-10.3.1.250\"",
            )
        } else {
            text.replace("    pool {\n      failover peer \"campus\";\n      deny dynamic bootp clients;\n      range 10.3.1.10", "    pool {\n      range 10.3.1.10")
        };
    });
    assert!(numbers(&unshared).contains(&307), "{:?}", numbers(&unshared));
    let otherwise = compared(JOINING, |side, text| {
        if side == OURS {
            let hub = "[[failover]]\nname = \"hub\"\nrole = \"primary\"\nlisten = \"192.0.2.2\"\npartner = \"192.0.2.9\"\n\n";
            *text = text.replacen("[[failover]]", &format!("{hub}[[failover]]"), 1).replace(
                "range = \"10.3.1.10-10.3.1.250\"\nfailover = \"campus\"",
                "range = \"10.3.1.10-10.3.1.250\"\nfailover = \"hub\"",
            );
        }
    });
    assert!(numbers(&otherwise).contains(&308), "{:?}", numbers(&otherwise));
    insta::assert_snapshot!(
        shown(&unshared, &BTreeSet::from([103, 501, 502, 503, 504, 505, 506]))
            + &shown(&otherwise, &BTreeSet::from([103, 501, 502, 503, 504, 505, 506]))
    );
}

#[test]
fn another_name_is_said_once() {
    for pair in [DHCPDS, JOINING, TANDEMS] {
        let other = compared(pair, |side, text| {
            if side == OURS {
                *text = text.replace("\"campus\"", "\"Campus\"");
            }
        });
        let errors: Vec<u16> = other.findings.iter().map(|finding| finding.rule.number).take(2).collect();
        assert_eq!(errors[0], 202);
        assert!(errors[1] != 202 && other.findings[1].rule.severity == Severity::Remark);
    }
}

/// Where nothing is wrong, only what is to be known is said.
#[test]
fn sound_pairs_have_remarks_alone() {
    for (pair, expected, kinds) in [
        (DHCPDS, &[103, 502, 503, 504, 505, 506][..], [Kind::Dhcpd; 2]),
        (JOINING, &[103, 501, 502, 503, 504, 505, 506], [Kind::Tandem, Kind::Dhcpd]),
        (TANDEMS, &[501, 506], [Kind::Tandem; 2]),
    ] {
        let comparison = compared(pair, |_, _| {});
        let found: Vec<u16> = numbers(&comparison).into_iter().collect();
        let all: String = comparison.findings.iter().map(|finding| finding.render(false) + "\n\n").collect();
        assert_eq!(found, expected, "{all}");
        assert_eq!(comparison.kinds, kinds);
        assert!(comparison.findings.iter().all(|finding| finding.rule.severity == Severity::Remark));
        insta::assert_snapshot!(format!("sound-{}", pair[0]), all);
        // The other way round it is the same pair.
        let [ours, partner] = pair;
        let turned = compared([partner, ours], |_, text| {
            if pair == TANDEMS {
                *text = text.replace("partner-kind = \"dhcpd\"\n", "");
            }
        });
        assert_eq!(numbers(&turned).into_iter().collect::<Vec<_>>(), expected);
    }
}

/// Every rule about files has a fault that shows it.
#[test]
fn no_rule_is_without_a_fault() {
    let mut tried: BTreeSet<u16> = FAULTS.iter().map(|fault| fault.rule).collect();
    // In the tests above and below.
    tried.extend([102, 202, 307, 308, 501, 502, 503, 504, 505, 506]);
    let of_files = RULES.iter().map(|rule| rule.number).filter(|number| *number < 600);
    let untried: Vec<u16> = of_files.filter(|number| !tried.contains(number)).collect();
    assert_eq!(untried, Vec::<u16>::new());
}

#[test]
fn included_files_are_those_of_their_host() {
    let comparison = compare(&example("primary.conf"), &example("secondary.conf")).unwrap();
    assert!(comparison.findings.iter().all(|finding| finding.rule.severity == Severity::Remark));
    let folder = std::env::temp_dir().join(format!("tandem-pair-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let absolute = std::fs::canonicalize(example("campus.conf")).unwrap();
    let written = |name: &str| {
        let text = std::fs::read_to_string(example(name)).unwrap();
        let text = text.replace("\"campus.conf\"", &format!("\"{}\"", absolute.display()));
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let [ours, partner] = [written("primary.conf"), written("secondary.conf")];
    let borrowed = compare(&ours, &partner).unwrap();
    assert_eq!(borrowed.findings.iter().filter(|finding| finding.rule.number == 102).count(), 1);
    std::fs::copy(&absolute, folder.join("campus.conf")).unwrap();
    assert!(!numbers(&compare(&ours, &partner).unwrap()).contains(&102));
    std::fs::write(&ours, "include \"primary.conf\";").unwrap();
    let circle = compare(&ours, &partner).unwrap();
    assert!(circle.findings.iter().any(|finding| finding.message.contains("is it a circle?")));
    std::fs::write(&ours, "include \"nowhere.conf\";").unwrap();
    let missing = compare(&ours, &partner).unwrap();
    assert!(
        missing.findings.iter().any(|finding| finding.message.contains("cannot be read, and nothing of it"))
    );
    assert!(compare(&folder.join("nothing"), &partner).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Damages a text: bytes are changed, pieces doubled, taken out, swapped with pieces of the other language.
fn damaged(text: &str, other: &str, chance: &mut Chance) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=chance.below(6) {
        let (start, length) = (chance.below(bytes.len()), chance.below(40));
        let end = (start + length).min(bytes.len());
        match chance.below(6) {
            0 => bytes[start] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let piece = bytes[start..end].to_vec();
                bytes.splice(start..start, piece);
            }
            3 => {
                let from = chance.below(other.len());
                let piece = &other.as_bytes()[from..(from + length).min(other.len())];
                bytes.splice(start..end, piece.iter().copied());
            }
            4 => {
                let mark = b"{}\";,()=\\#\n"[chance.below(11)];
                bytes.splice(start..start, std::iter::repeat_n(mark, chance.below(90)));
            }
            _ => bytes.truncate(start.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whatever the bytes are, nothing panics, all places lie in their texts, and all can be shown.
#[test]
fn any_bytes_are_taken() {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let rounds: usize = asked.unwrap_or(3000);
    let names = ["primary.conf", "secondary.conf", "secondary.toml", "primary.toml"];
    let texts = names.map(text);
    let mut chance = Chance(0x5eed_0001);
    let (mut understood, mut faults) = (0, 0);
    for round in 0..rounds {
        let (a, b, c) = (chance.below(4), chance.below(4), chance.below(4));
        let ours = damaged(&texts[a], &texts[b], &mut chance);
        let comparison = compare_texts([(Path::new(names[a]), &ours), (Path::new(names[c]), &texts[c])]);
        understood += usize::from(!comparison.meetings.is_empty());
        for finding in &comparison.findings {
            faults += usize::from(finding.rule.number == 101);
            for place in &finding.places {
                assert!(
                    place.spot.source.text.get(place.spot.span.clone()).is_some(),
                    "round {round}: {finding:?}"
                );
                assert!(place.spot.position().0 >= 1);
            }
            if round % 16 == 0 {
                assert!(finding.render(false).contains(&finding.rule.name()), "round {round}");
            }
        }
    }
    assert!(understood > rounds / 4 && faults > rounds / 4, "{understood} understood, {faults} faults");
}

#[test]
fn deep_nesting_uses_up_no_stack() {
    let deep = format!("subnet 10.0.0.0 netmask 255.0.0.0 {}", "{ group ".repeat(200_000));
    let comparison =
        compare_texts([(Path::new("deep.conf"), &deep), (Path::new("b.conf"), &text("secondary.conf"))]);
    assert!(comparison.findings.iter().any(|finding| finding.message.contains("nested deeper than 64")));
}

/// A code counts in its own space only: this one is not that of subnet-mask.
#[test]
fn options_of_other_spaces_are_not_looked_at() {
    let new = "option space PXE; option PXE.mtftp-ip code 1 = ip-address; option PXE.mtftp-ip 10.9.9.9; authoritative;";
    let comparison = changed(JOINING, PARTNER, "authoritative;", new);
    assert!(!numbers(&comparison).contains(&316), "{:?}", numbers(&comparison));
    let unread: Vec<&str> = comparison.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(
        unread.iter().any(|message| message.contains("option PXE.mtftp-ip (line 2, 2 times)")),
        "{unread:?}"
    );
}

/// T1 and T2 that are what they would be anyhow are no difference.
#[test]
fn usual_renewal_times_may_be_written() {
    let with = |times: &str| {
        let new = format!("option routers 10.1.0.1; {times}");
        numbers(&changed(JOINING, PARTNER, "option routers 10.1.0.1;", &new)).contains(&315)
    };
    assert!(!with("option dhcp-renewal-time 14400; option dhcp-rebinding-time 25200;"));
    assert!(with("option dhcp-renewal-time 14401;") && with("option dhcp-rebinding-time 25201;"));
}

/// The secondary once more, in other words: inheritance by groups and shared networks, a pool beside its subnets, statements
/// behind what they hold for, capitals, comments, bytes for text, an option by its number.
const OTHERWISE: &str = include_str!("examples/otherwise.conf");

#[test]
fn the_same_in_other_words_is_the_same() {
    let primary = text("primary.conf");
    let compared = |otherwise: &str| {
        compare_texts([(Path::new("otherwise.conf"), otherwise), (Path::new("primary.conf"), &primary)])
    };
    let same = compared(OTHERWISE);
    // Only what the one host is called differs.
    assert_eq!(
        numbers(&same).into_iter().collect::<Vec<_>>(),
        [103, 406, 502, 503, 504, 505, 506],
        "{}",
        shown(&same, &BTreeSet::new())
    );
    assert!(
        same.findings[0].message.starts_with("host-name of the reservation of 10.1.0.10 is \"not-used\"")
    );
    // And each of these words counts.
    for (old, new, rule) in [
        ("campus\\x2e", "campus\\x2f", 316),
        ("10.1.64.0; #", "10.1.64.1; #", 305),
        ("0a:1:0:7", "0a:1:0:8", 316),
        ("broadcast-address 10.1.255.255", "broadcast-address 10.1.0.0", 316),
        ("3600; range", "3601; range", 312),
        ("    failover peer \"campus\";\n    option routers 10.3.0.1;", "option routers 10.3.0.1;", 306),
        ("option routers 10.3.0.1;", "option routers 10.3.0.2;", 316),
        ("use-host-decl-names on;", "", 406),
        ("pri\\x6et", "pri\\x6ft", 406),
        ("0x7080", "0x7081", 312),
        ("\nauthoritative;", "\nnot authoritative;", 318),
        ("pool { deny dynamic bootp clients; range", "pool { no failover peer; range", 306),
    ] {
        assert!(OTHERWISE.contains(old), "{old}");
        let other = compared(&OTHERWISE.replacen(old, new, 1));
        assert!(numbers(&other).contains(&rule), "{new}: {:?}", numbers(&other));
    }
}
