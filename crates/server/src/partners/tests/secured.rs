//! TLS and secrets between two nodes.
//!
//! *Lives here:* [`Authority`], which makes certificates, and what pairs with right and wrong ones come to.
//! *Must not know:* what somebody in between could do.

use super::super::tls::{Opened, Terms, Tls};
use super::*;
use failover::binding::BindingStatus;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use std::cell::Cell;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Somebody who makes certificates, in a folder that goes away again.
pub(super) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// How many certificates it has made.
    made: Cell<u32>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Authority {
        let folder = std::env::temp_dir().join(format!("tandem-partners-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { folder, issuer: Issuer::new(params, key), made: Cell::new(0) }
    }

    /// The lines of a `[failover.tls]` with a new certificate for an address, which trusts `trusted`.
    pub(super) fn lines(&self, of: Ipv4Addr, trusted: &Authority, more: &str) -> String {
        let (key, params) = (KeyPair::generate().unwrap(), named(of));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.table(&certificate.pem(), &key, &trusted.folder.join("ca.crt"), more)
    }

    /// The same with a certificate that has ended.
    fn expired(&self, of: Ipv4Addr) -> String {
        let (key, mut params) = (KeyPair::generate().unwrap(), named(of));
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.table(&certificate.pem(), &key, &self.folder.join("ca.crt"), "")
    }

    fn table(&self, certificate: &str, key: &KeyPair, trust: &Path, more: &str) -> String {
        self.made.set(self.made.get() + 1);
        let at = |what: &str| self.folder.join(format!("{}.{what}", self.made.get()));
        fs::write(at("crt"), certificate).unwrap();
        fs::write(at("key"), key.serialize_pem()).unwrap();
        fs::set_permissions(at("key"), fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "[failover.tls]\ncertificate = \"{}\"\nkey = \"{}\"\ntrust = \"{}\"\n{more}",
            at("crt").display(),
            at("key").display(),
            trust.display()
        )
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What TLS of a node with these lines is made with.
fn terms(role: Role, lines: &str) -> Terms {
    let text = format!(
        "interfaces = [\"x\"]\nstate-directory = \"/\"\nlease-time = \"1h\"\n[[failover]]\nname = \"n\"\n\
         role = \"{role}\"\nlisten = \"192.0.2.1\"\npartner = \"192.0.2.2\"\n{lines}[[subnet]]\n\
         prefix = \"10.0.0.0/16\"\n[[subnet.pool]]\nrange = \"10.0.1.0\"\nfailover = \"n\"\n"
    );
    let (config, _) = config::parse("test", &text).unwrap();
    Terms::new(role, config.partner_tls[0].as_ref().unwrap()).unwrap()
}

fn named(of: Ipv4Addr) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(of))];
    params
}

/// The lines of a shared secret.
pub(super) fn secret_lines(authority: &Authority, secret: &str) -> String {
    let path = authority.folder.join(secret);
    fs::write(&path, secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!("secret-file = \"{}\"\n", path.display())
}

fn pair_with(test: u8, lines: [&str; 2]) -> Vec<Node> {
    let start = Instant::now();
    let primary = Made { ours: 1, theirs: 2, role: Role::Primary, lines: lines[0] };
    let secondary = Made { ours: 2, theirs: 1, role: Role::Secondary, lines: lines[1] };
    [primary, secondary].map(|made| Node::made(test, made, start)).into()
}

/// Makes the two meet, until one of them says `id`; what it says.
fn refused(nodes: &mut [Node], id: &str) -> String {
    let said = |nodes: &[Node]| nodes.iter().any(|node| node.told.iter().any(|(told, _)| *told == id));
    assert!(run(nodes, Duration::from_secs(10), said), "{id}: {:?}", nodes[0].told);
    // Nobody takes anything of the other meanwhile, and the connection goes away.
    let gone = |nodes: &[Node]| nodes.iter().all(|node| node.partners.wires.is_empty());
    assert!(run(nodes, Duration::from_secs(5), gone));
    for node in nodes.iter() {
        assert_eq!(node.desk.engine.endpoints(node.now())[0].partner, None, "{:?}", node.told);
    }
    let texts = nodes.iter().flat_map(|node| &node.told).filter(|(told, _)| *told == id);
    texts.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
}

/// Statuses of all addresses.
pub(super) fn statuses(node: &Node) -> Vec<(Ipv4Addr, BindingStatus)> {
    let filter = engine::LeaseFilter { unused: true, ..engine::LeaseFilter::default() };
    let leases = node.desk.engine.leases(&filter, usize::MAX).0;
    leases.into_iter().map(|lease| (lease.address, lease.status)).collect()
}

#[test]
fn over_tls_two_become_normal_and_share_their_addresses() {
    let authority = Authority::new("good");
    let lines = [1, 2].map(|node| authority.lines(address(5, node), &authority, ""));
    let mut nodes = pair_with(5, [&lines[0], &lines[1]]);
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal), "{:?}", nodes[0].told);
    let shared = |nodes: &[Node]| {
        statuses(&nodes[0]) == statuses(&nodes[1])
            && statuses(&nodes[1]).iter().any(|(_, status)| *status == BindingStatus::Backup)
    };
    assert!(run(&mut nodes, Duration::from_secs(10), shared));
    for (node, partner) in nodes.iter().zip([2, 1]) {
        let peer = node.desk.engine.endpoints(node.now()).remove(0).tls_peer;
        assert_eq!(peer, Some(address(5, partner).to_string()));
    }
    // More than two receive timers: nobody misses CONTACT.
    let lost = |nodes: &[Node]| !are_normal(nodes);
    assert!(!run(&mut nodes, Duration::from_secs(7), lost));
    // The end is told in TLS too: it is no loss by surprise.
    let mut rest: Vec<Node> = nodes.drain(1..).collect();
    drop(nodes);
    let missed = |nodes: &[Node]| !nodes[0].state().1;
    assert!(run(&mut rest, Duration::from_secs(3), missed));
}

#[test]
fn each_trusts_the_certificate_of_the_other_itself() {
    let authority = Authority::new("pinned");
    let mut lines = Vec::new();
    for (node, partner) in [(1, 2), (2, 1)] {
        let (key, params) = (KeyPair::generate().unwrap(), named(address(6, node)));
        let certificate = params.self_signed(&key).unwrap().pem();
        let trust = authority.folder.join(format!("{partner}.crt"));
        lines.push(authority.table(&certificate, &key, &trust, ""));
    }
    let mut nodes = pair_with(6, [&lines[0], &lines[1]]);
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal), "{:?}", nodes[0].told);
}

#[test]
fn who_is_not_the_partner_is_refused_and_the_reason_told() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let both: [&str; 2] = ["trust` names", "its log says why"];
    let good = |node| ours.lines(address(7, node), &ours, "");
    let cases: [(&str, [String; 2], &[&str]); 7] = [
        ("client of another authority", [other.lines(address(7, 1), &ours, ""), good(2)], &both),
        ("server of another authority", [good(1), other.lines(address(7, 2), &ours, "")], &both),
        ("expired client", [ours.expired(address(7, 1)), good(2)], &["has expired", "its log says why"]),
        ("expired server", [good(1), ours.expired(address(7, 2))], &["has expired", "its log says why"]),
        (
            "another name",
            [good(1), ours.lines(address(7, 2), &ours, "partner-name = \"b.example\"\n")],
            &["names somebody else", "its log says why"],
        ),
        ("plain client", [String::new(), good(2)], &["TLS required but not supported"]),
        (
            "another name",
            [ours.lines(address(7, 1), &ours, "partner-name = \"b.example\"\n"), good(2)],
            &["names somebody else", "its log says why"],
        ),
    ];
    for (case, lines, what) in cases {
        let mut nodes = pair_with(7, [&lines[0], &lines[1]]);
        let said = refused(&mut nodes, "TDM-2018");
        assert!(what.iter().all(|what| said.contains(what)), "{case}: {said}");
        if what.len() == 1 {
            let told = &nodes[0].told;
            assert!(
                told.iter().any(|(_, text)| text.contains("the partner rejected us: TLS required")),
                "{told:?}"
            );
        }
    }
    let mut nodes = pair_with(7, [&good(1), ""]);
    let said = refused(&mut nodes, "TDM-2002");
    assert!(said.contains("the partner rejected us: TLS supported but not configured (10)"), "{said}");
}

#[test]
fn who_knows_another_secret_is_refused_and_the_reason_told() {
    let authority = Authority::new("secrets");
    let [one, two] = ["one", "two"].map(|secret| secret_lines(&authority, secret));
    let [differs, ours, theirs] = ["the digest of a message is wrong", "we have none", "came without digest"];
    for (lines, by_secondary, by_primary) in [
        ([one.as_str(), two.as_str()], differs, differs),
        ([&one, ""], ours, theirs),
        (["", &two], theirs, ours),
    ] {
        let mut nodes = pair_with(8, lines);
        let said = refused(&mut nodes, "TDM-2018");
        assert!(said.contains(by_secondary) && said.contains(by_primary), "{said}");
    }
    let mut nodes = pair_with(8, [&one, &one]);
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal), "{:?}", nodes[0].told);
}

/// A stranger's bytes in place of TLS, and TLS that stops in its middle.
#[test]
fn what_is_no_tls_is_refused_at_once_and_half_of_it_waits() {
    let authority = Authority::new("noise");
    let lines = [1, 2].map(|node| authority.lines(Ipv4Addr::new(192, 0, 2, 3 - node), &authority, ""));
    let both = [terms(Role::Primary, &lines[0]), terms(Role::Secondary, &lines[1])];
    for terms in &both {
        for first in [0_u8, 20, 21, 22, 23, 255] {
            let mut noise: Vec<u8> =
                (0..251).cycle().take(BYTES_PER_TURN).map(|byte: u8| byte ^ first).collect();
            noise[..5].copy_from_slice(&[first, 3, 3, 0x3f, 0xff]);
            let (mut out, mut plain) = (Vec::new(), Vec::new());
            let mut tls = Tls::begin(terms, &mut out).unwrap();
            let opened = tls.take(&noise, &mut plain, &mut out);
            assert!(opened.failed.is_some() && opened.started.is_none(), "{first}: {opened:?}");
            assert!(plain.is_empty());
        }
    }
    let mut hello = Vec::new();
    Tls::begin(&both[0], &mut hello).unwrap();
    let (mut answer, mut plain) = (Vec::new(), Vec::new());
    let mut server = Tls::begin(&both[1], &mut answer).unwrap();
    for byte in &hello[..hello.len() - 1] {
        let opened = server.take(std::slice::from_ref(byte), &mut plain, &mut answer);
        assert_eq!(opened, Opened { started: None, is_closed: false, failed: None });
    }
    assert!(answer.is_empty());
    server.take(&hello[hello.len() - 1..], &mut plain, &mut answer);
    assert!(!answer.is_empty() && plain.is_empty());
}
