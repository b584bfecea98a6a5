//! `[failover.tls]`: what a partner would refuse is said before, with its line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::{Diagnostic, Report, ServerConfig, Severity, parse};
use engine::config::TlsParts;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const DAY: u64 = 86_400;

/// A folder with certificates, which goes away again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("tandem-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// An authority, and a certificate of it in `own.crt` with its key in `own.key`, after `change`.
    fn certificate(&self, names: &[&str], change: impl Fn(&mut CertificateParams)) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_key = KeyPair::generate().unwrap();
        self.write("ca.crt", &params.self_signed(&issuer_key).unwrap().pem());
        let issuer = Issuer::new(params, issuer_key);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        self.write("own.crt", &params.signed_by(&key, &issuer).unwrap().pem());
        self.write("own.key", &key.serialize_pem());
    }

    /// A configuration whose `[failover.tls]` stands in line 9, with more lines in it.
    fn text(&self, lines: &str) -> String {
        let at = |name: &str| self.0.join(name).display().to_string();
        format!(
            "interfaces = [\"eth0\"]\nstate-directory = \"/var/lib/tandem\"\nlease-time = \"8h\"\n[[failover]]\n\
             name = \"campus\"\nrole = \"primary\"\nlisten = \"192.0.2.1\"\npartner = \"192.0.2.2\"\n[failover.tls]\n\
             certificate = \"{}\"\nkey = \"{}\"\ntrust = \"{}\"\n{lines}\n[[subnet]]\nprefix = \"10.1.0.0/24\"\n\
             [[subnet.pool]]\nrange = \"10.1.0.10-10.1.0.20\"\nfailover = \"campus\"\n",
            at("own.crt"),
            at("own.key"),
            at("ca.crt")
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn good(text: &str) -> (ServerConfig, Report) {
    parse("tandem.toml", text).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// The one thing said of a text, beside what is said of every dhcpd: how bad it is, where, and what.
fn said(text: &str) -> (Severity, usize, usize, String) {
    let report = match parse("tandem.toml", text) {
        Ok((_, report)) | Err(report) => report,
    };
    let of_dhcpd = |found: &&Diagnostic| found.message.contains("read docs/dhcpd-partner.md");
    let others: Vec<&Diagnostic> = report.diagnostics().iter().filter(|found| !of_dhcpd(found)).collect();
    let [found] = others[..] else { panic!("{}", report.render(false)) };
    (found.severity, found.line, found.column, found.message.clone())
}

fn assert_said(text: &str, severity: Severity, line: usize, column: usize, what: &str) {
    let found = said(text);
    assert_eq!((found.0, found.1, found.2), (severity, line, column), "{}", found.3);
    assert!(found.3.contains(what), "{}", found.3);
}

fn in_days(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + Duration::from_secs(days * DAY);
}

#[test]
fn certificate_key_and_trust_are_read_and_the_key_is_never_shown() {
    let folder = Folder::new("good");
    folder.certificate(&["a.example"], |params| in_days(params, 100));
    let (config, report) = good(&folder.text(""));
    assert_eq!(report.diagnostics(), []);
    let tls = config.partner_tls[0].as_ref().unwrap();
    assert_eq!((tls.certificate.len(), tls.trust.len()), (1, 1));
    assert_eq!(tls.partner_name.to_str(), "192.0.2.2", "without partner-name it is the address");
    let TlsParts { is_required, certificate_expires } = config.engine.relationships()[0].tls.unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(is_required && certificate_expires.as_seconds().abs_diff(now + 100 * DAY) < 10);
    let shown = format!("{config:?}");
    let key = tls.key.secret_der();
    assert!(!shown.contains(&format!(
        "{}, {}, {}",
        key[key.len() - 3],
        key[key.len() - 2],
        key[key.len() - 1]
    )));
    let (config, _) = good(&folder.text("partner-name = \"b.example\""));
    assert_eq!(config.partner_tls[0].as_ref().unwrap().partner_name.to_str(), "b.example");
    let text = folder.text("use = \"desired\"").replace("partner =", "secret-file = \"own.key\"\npartner =");
    let text = text.replace("\"own.key\"", &format!("\"{}\"", folder.0.join("own.key").display()));
    let (config, report) = good(&text);
    assert_eq!(report.diagnostics(), []);
    assert!(!config.engine.relationships()[0].tls.unwrap().is_required);
}

#[test]
fn what_is_missing_or_damaged_has_its_line() {
    let folder = Folder::new("missing");
    folder.certificate(&["a.example"], |_| {});
    let text = folder.text("");
    let with = |name: &str, bytes: &str, line, column, what: &str| {
        let before = fs::read_to_string(folder.0.join(name)).unwrap();
        folder.write(name, bytes);
        assert_said(&text, Severity::Error, line, column, what);
        folder.write(name, &before);
    };
    for (name, line, column) in [("own.crt", 10, 15), ("own.key", 11, 7), ("ca.crt", 12, 9)] {
        with(name, "", line, column, "PEM form");
        with(name, &"x".repeat(70_000), line, column, "more than 65536 bytes");
        let path = folder.0.join(name);
        fs::rename(&path, folder.0.join("away")).unwrap();
        assert_said(&text, Severity::Error, line, column, "cannot be read: No such file");
        fs::rename(folder.0.join("away"), &path).unwrap();
    }
    let certificate = fs::read_to_string(folder.0.join("own.crt")).unwrap();
    with("ca.crt", &certificate.repeat(17), 12, 9, "more than 16 certificates");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    with("own.crt", nonsense, 10, 15, "damaged");
    with("ca.crt", nonsense, 12, 9, "cannot be trusted");
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    with("own.key", locked, 11, 7, "without a passphrase");
    with(
        "own.key",
        &KeyPair::generate().unwrap().serialize_pem(),
        11,
        7,
        "does not belong to the certificate",
    );
    let kind = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    with("own.key", kind, 11, 7, "of a kind that TLS does not use");
    for (key, line) in [("certificate", 10), ("key", 11), ("trust", 12)] {
        let without: Vec<&str> = text.lines().filter(|found| !found.starts_with(key)).collect();
        let found = said(&without.join("\n"));
        assert_eq!((found.0, found.1), (Severity::Error, 9), "line {line}");
        assert!(found.3.contains(&format!("[failover.tls] needs the key `{key}`")), "{}", found.3);
    }
    assert_said(
        &folder.text("partner-name = \"b c\""),
        Severity::Error,
        13,
        16,
        "no name that a certificate",
    );
    assert_said(
        &folder.text("use = \"always\""),
        Severity::Error,
        13,
        7,
        "write \"required\" or \"desired\"",
    );
    assert_said(&folder.text("port = 1"), Severity::Error, 13, 1, "[failover.tls] has no key `port`");
    let not_a_table = text.replace("[failover.tls]\n", "tls = true\n");
    let report = parse("t", &not_a_table).err().unwrap();
    assert!(report.diagnostics().iter().any(|found| (found.line, found.column) == (9, 7)
        && found.message.contains("wanted is a table, [failover.tls]")));
}

#[test]
fn what_the_partner_would_refuse_is_an_error() {
    let folder = Folder::new("refused");
    let case = |names: &[&str], role: &str, change: &dyn Fn(&mut CertificateParams)| {
        folder.certificate(names, change);
        folder.text("").replace("\"primary\"", &format!("\"{role}\""))
    };
    let usage = |usage: ExtendedKeyUsagePurpose| {
        move |params: &mut CertificateParams| params.extended_key_usages = vec![usage.clone()]
    };
    let (server, client) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
    let text = case(&[], "primary", &|_| {});
    assert_said(&text, Severity::Error, 10, 15, "subjectAltName");
    let text = case(&["a"], "primary", &|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_said(&text, Severity::Error, 10, 15, "CA:FALSE");
    let text = case(&["a"], "primary", &usage(server.clone()));
    assert_said(&text, Severity::Error, 10, 15, "the primary needs clientAuth");
    let text = case(&["a"], "secondary", &usage(client.clone()));
    assert_said(&text, Severity::Error, 10, 15, "the secondary needs serverAuth");
    assert!(good(&case(&["a"], "primary", &usage(client))).1.diagnostics().is_empty());
    assert!(good(&case(&["a"], "secondary", &usage(server))).1.diagnostics().is_empty());
}

#[test]
fn what_somebody_should_look_at_is_a_warning() {
    let folder = Folder::new("warned");
    folder.certificate(&["a"], |params| in_days(params, 29));
    assert_said(&folder.text(""), Severity::Warning, 10, 15, "the certificate expires on ");
    folder.certificate(&["a"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    assert_said(&folder.text(""), Severity::Warning, 10, 15, "has expired on 2021-02-03");
    folder.certificate(&["a"], |_| {});
    fs::set_permissions(folder.0.join("own.key"), Permissions::from_mode(0o644)).unwrap();
    assert_said(
        &folder.text(""),
        Severity::Warning,
        11,
        7,
        "everybody on this host may use the file of the key (mode 644)",
    );
    fs::set_permissions(folder.0.join("own.key"), Permissions::from_mode(0o640)).unwrap();
    assert!(good(&folder.text("")).1.diagnostics().is_empty());
    assert_said(&folder.text("use = \"desired\""), Severity::Warning, 9, 1, "can take TLS away");
}

#[test]
fn a_bare_connection_is_remarked_upon_and_a_dhcpd_can_do_nothing_about_it() {
    let folder = Folder::new("bare");
    folder.certificate(&["a"], |_| {});
    let whole = folder.text("");
    let lines: Vec<&str> = whole.lines().collect();
    let bare = [&lines[..8], &lines[13..]].concat().join("\n");
    assert_said(&bare, Severity::Remark, 8, 11, "nothing proves");
    good(&bare);
    let near = bare.replace("192.0.2.1", "127.0.0.1").replace("192.0.2.2", "127.0.0.2");
    assert_eq!(good(&near).1.diagnostics(), []);
    let dhcpd = whole.replace("role =", "partner-kind = \"dhcpd\"\nrole =");
    assert_said(&dhcpd, Severity::Error, 10, 1, "a dhcpd has no TLS");
    let key = folder.0.join("own.key").display().to_string();
    let secret =
        bare.replace("role =", &format!("partner-kind = \"dhcpd\"\nsecret-file = \"{key}\"\nrole ="));
    assert_said(&secret, Severity::Error, 7, 15, "neither signs");
}
