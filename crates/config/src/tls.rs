//! `[failover.tls]`: what this server proves itself with to a partner, and whom it takes for the partner.
//!
//! *Lives here:* [`PartnerTls`] and its reader; what is wrong with certificates and keys, before a partner finds it.
//! *May know:* the files with certificates and keys, which it reads; X.509 as far as a partner will look.
//! *Must not know:* connections.
//!
//! Nothing of a key is ever part of a report.

use crate::keys;
use crate::reader::Section;
use crate::report::Report;
use crate::value::word_of;
use engine::config::{CERTIFICATE_WARNING, TlsParts};
use failover::state::Role;
use failover::time::Time;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::SystemTime;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};
use x509_cert::time::Time as X509Time;

/// Most bytes that a file with certificates, or with a key, may have.
const MAX_PEM: u64 = 64 << 10;

/// Most certificates that such a file may have.
const MAX_CERTIFICATES: usize = 16;

/// What TLS with a partner is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerTls {
    /// The certificate of this server, and those between it and its authority.
    pub certificate: Vec<CertificateDer<'static>>,
    /// The key that belongs to it; its `Debug` shows nothing.
    pub key: Arc<PrivateKeyDer<'static>>,
    /// Who signed the certificate of the partner: authorities, or that certificate itself.
    pub trust: Vec<CertificateDer<'static>>,
    /// Whom the certificate of the partner names.
    pub partner_name: ServerName<'static>,
}

/// Reads the table of one relationship, if it has one.
pub(crate) fn read(
    failover: &mut Section<'_>,
    (role, partner): (Role, Option<Ipv4Addr>),
    report: &mut Report,
) -> Option<(TlsParts, PartnerTls)> {
    let mut section = failover.table("tls", &keys::FAILOVER_TLS, report)?;
    let is_required = word_of(&mut section, "use", &["required", "desired"], report) == 0;
    let certificate = certificate(&mut section, role, report);
    let key = key(&mut section, report);
    let trust = trust(&mut section, report);
    let partner_name = partner_name(&mut section, partner, report);
    let spans = ["certificate", "key"].map(|key| section.get(key).map_or(0..0, toml::Spanned::span));
    section.finish(report);
    let (certificate, certificate_expires) = certificate?;
    let key = Arc::new(key?);
    fits(&certificate, &key, spans, report);
    let parts = TlsParts { is_required, certificate_expires };
    Some((parts, PartnerTls { certificate, key, trust: trust?, partner_name: partner_name? }))
}

/// The certificates of the file, and when the first of them ends.
fn certificate(
    section: &mut Section<'_>,
    role: Role,
    report: &mut Report,
) -> Option<(Vec<CertificateDer<'static>>, Time)> {
    section.require("certificate", report);
    let (path, span) = section.text("certificate", report)?;
    if report.is_elsewhere() {
        return None;
    }
    let read = certificates(path).and_then(|chain| {
        let understood: Result<Vec<Certificate>, _> =
            chain.iter().map(|one| Certificate::from_der(one)).collect();
        let understood =
            understood.map_err(|error| format!("a certificate of the file is damaged: {error}"))?;
        Ok((chain, understood))
    });
    let (chain, understood) = match read {
        Ok(read) => read,
        Err(message) => {
            report.error(span, message, "here");
            return None;
        }
    };
    if let Some(objection) = understood.first().and_then(|first| objection(first, role)) {
        report.error(span.clone(), objection, "here");
    }
    let ends = understood.iter().map(|one| one.tbs_certificate.validity.not_after).min_by_key(seconds)?;
    let expires = Time::from_seconds(seconds(&ends));
    warn_of_end(&ends, expires, span, report);
    Some((chain, expires))
}

fn seconds(time: &X509Time) -> u64 {
    time.to_unix_duration().as_secs()
}

/// Why the partner would not take this certificate.
fn objection(certificate: &Certificate, role: Role) -> Option<String> {
    let certificate = &certificate.tbs_certificate;
    if certificate.get::<SubjectAltName>().ok().flatten().is_none() {
        let text = "the certificate names nobody in subjectAltName, where the partner looks for the name of this server: \
                    make it with one";
        return Some(text.to_owned());
    }
    let is_authority =
        certificate.get::<BasicConstraints>().ok().flatten().is_some_and(|(_, found)| found.ca);
    if is_authority {
        let text = "this is the certificate of an authority, which the partner does not take for that of a server: make it \
                    with basicConstraints CA:FALSE";
        return Some(text.to_owned());
    }
    let (wanted, name) = match role {
        Role::Primary => (ID_KP_CLIENT_AUTH, "clientAuth"),
        Role::Secondary => (ID_KP_SERVER_AUTH, "serverAuth"),
    };
    let (_, usage) = certificate.get::<ExtendedKeyUsage>().ok().flatten()?;
    let text = format!(
        "the certificate is not for this use: the {role} needs {name} in its extendedKeyUsage, or none at all"
    );
    (!usage.0.contains(&wanted)).then_some(text)
}

fn warn_of_end(ends: &X509Time, expires: Time, span: Range<usize>, report: &mut Report) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = Time::from_seconds(now);
    let date = ends.to_date_time();
    let day = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
    if expires <= now {
        let message =
            format!("the certificate has expired on {day}: the partner refuses it; put a new one there");
        report.warning(span, message, "here");
    } else if expires < now.plus(CERTIFICATE_WARNING) {
        let message =
            format!("the certificate expires on {day}: put a new one there before, and restart the server");
        report.warning(span, message, "here");
    }
}

fn key(section: &mut Section<'_>, report: &mut Report) -> Option<PrivateKeyDer<'static>> {
    section.require("key", report);
    let (path, span) = section.text("key", report)?;
    if report.is_elsewhere() {
        return None;
    }
    let (bytes, mode) = match contents(path, "key") {
        Ok(read) => read,
        Err(message) => {
            report.error(span, message, "here");
            return None;
        }
    };
    if mode & 0o007 != 0 {
        let message = format!(
            "everybody on this host may use the file of the key (mode {:03o}): `chmod 0600` it, and make another key",
            mode & 0o777
        );
        report.warning(span.clone(), message, "here");
    }
    // What the parser has to say could hold a piece of the key.
    let key = PrivateKeyDer::from_pem_slice(&bytes).ok();
    if key.is_none() {
        let message = "the file has no private key in PEM form without a passphrase (BEGIN PRIVATE KEY)";
        report.error(span, message.to_owned(), "here");
    }
    key
}

fn trust(section: &mut Section<'_>, report: &mut Report) -> Option<Vec<CertificateDer<'static>>> {
    section.require("trust", report);
    let (path, span) = section.text("trust", report)?;
    if report.is_elsewhere() {
        return None;
    }
    let read = certificates(path).and_then(|trusted| {
        let mut store = RootCertStore::empty();
        let added = trusted.iter().try_for_each(|one| store.add(one.clone()));
        added.map_err(|error| format!("a certificate of the file cannot be trusted: {error}"))?;
        Ok(trusted)
    });
    read.map_err(|message| report.error(span, message, "here")).ok()
}

fn partner_name(
    section: &mut Section<'_>,
    partner: Option<Ipv4Addr>,
    report: &mut Report,
) -> Option<ServerName<'static>> {
    if section.get("partner-name").is_none() {
        return partner.map(|address| ServerName::from(std::net::IpAddr::V4(address)));
    }
    let (written, span) = section.text("partner-name", report)?;
    let name = ServerName::try_from(written.to_owned()).ok();
    if name.is_none() {
        let message = "this is no name that a certificate can have: write a DNS name, like \"tandem-b.example\", or an \
                       address";
        report.error(span, message.to_owned(), "here");
    }
    name
}

/// Certificate and key make a pair that this server can use.
fn fits(
    certificate: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    [at, key_at]: [Range<usize>; 2],
    report: &mut Report,
) {
    use rustls::{Error, InconsistentKeys};
    let message = match CertifiedKey::from_der(certificate.to_vec(), key.clone_key(), &default_provider()) {
        Ok(_) => return,
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            "the key does not belong to the certificate: put the one there with which the certificate was made"
        }
        Err(_) => "the key is of a kind that TLS does not use: make one with ed25519 or prime256v1",
    };
    report.error_with(key_at, message.to_owned(), "here", (at, "the certificate is here".to_owned()));
}

/// All certificates of a file in PEM form; at least one.
fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let (bytes, _) = contents(path, "certificate")?;
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes).take(MAX_CERTIFICATES + 1).collect();
    let found = found.map_err(|error| format!("the file of the certificate is damaged: {error}"))?;
    match found.len() {
        0 => Err("the file has no certificate in PEM form (BEGIN CERTIFICATE)".to_owned()),
        1..=MAX_CERTIFICATES => Ok(found),
        _ => Err(format!(
            "the file has more than {MAX_CERTIFICATES} certificates: name those that this relationship needs"
        )),
    }
}

/// What a file holds, and its mode.
fn contents(path: &str, what: &str) -> Result<(Vec<u8>, u32), String> {
    let failed = |error: std::io::Error| format!("the file of the {what} cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_PEM + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_PEM {
        return Err(format!("the file of the {what} has more than {MAX_PEM} bytes: is this the right file?"));
    }
    Ok((bytes, about.mode()))
}
