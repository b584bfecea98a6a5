//! TLS with a partner, without a socket: what came in, plaintext out, and back.
//!
//! *Lives here:* [`Terms`], what the connections of one relationship are made with; [`Tls`], one of them; what is wrong with
//! one, in words.
//! *May know:* rustls; who is its client.
//! *Must not know:* sockets; what the plaintext says.
//!
//! Each server proves itself to the other at each connection: nothing is resumed. Nothing here waits, and what is kept is
//! bounded: less than one record, and what the caller takes at once.

use config::PartnerTls;
use failover::state::Role;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName,
    Error, RootCertStore, ServerConfig, ServerConnection, SignatureScheme,
};
use std::io::{Read, Write};
use std::sync::Arc;

/// What connections to one partner are made with.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    side: Side,
    /// Whom the certificate of the partner must name.
    partner: ServerName<'static>,
}

#[derive(Debug, Clone)]
enum Side {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

/// TLS of one connection.
#[derive(Debug)]
pub(super) struct Tls {
    connection: Connection,
    partner: ServerName<'static>,
    has_started: bool,
}

/// What came of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// The handshake is complete now, and was not before: whom the certificate of the partner names.
    pub(super) started: Option<String>,
    /// The partner will send nothing more.
    pub(super) is_closed: bool,
    /// Nothing more can be taken, because.
    pub(super) failed: Option<String>,
}

impl Terms {
    /// For connections to a partner; the primary, which sends CONNECT, is the client.
    ///
    /// # Errors
    /// What the check of the configuration finds too.
    pub(super) fn new(role: Role, tls: &PartnerTls) -> Result<Terms, String> {
        let said = |error: Error| in_words(&error);
        let provider = Arc::new(default_provider());
        let mut trust = RootCertStore::empty();
        for certificate in &tls.trust {
            trust.add(certificate.clone()).map_err(said)?;
        }
        let (chain, key) = (tls.certificate.clone(), tls.key.clone_key());
        let side = match role {
            Role::Primary => {
                let mut client = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(&[&TLS13])
                    .map_err(said)?
                    .with_root_certificates(trust)
                    .with_client_auth_cert(chain, key)
                    .map_err(said)?;
                client.resumption = Resumption::disabled();
                client.enable_sni = false;
                Side::Client(Arc::new(client))
            }
            Role::Secondary => {
                let verifier = Named::new(trust, &provider, tls.partner_name.clone())?;
                let mut server = ServerConfig::builder_with_provider(provider)
                    .with_protocol_versions(&[&TLS13])
                    .map_err(said)?
                    .with_client_cert_verifier(Arc::new(verifier))
                    .with_single_cert(chain, key)
                    .map_err(said)?;
                server.session_storage = Arc::new(NoServerSessionStorage {});
                server.send_tls13_tickets = 0;
                Side::Server(Arc::new(server))
            }
        };
        Ok(Terms { side, partner: tls.partner_name.clone() })
    }
}

impl Tls {
    /// Begins; what is to be sent for it goes to `out`.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(super) fn begin(terms: &Terms, out: &mut Vec<u8>) -> Result<Tls, String> {
        let partner = terms.partner.clone();
        let connection = match &terms.side {
            Side::Client(client) => {
                ClientConnection::new(Arc::clone(client), partner.clone()).map(Connection::Client)
            }
            Side::Server(server) => ServerConnection::new(Arc::clone(server)).map(Connection::Server),
        };
        let connection = connection.map_err(|error| in_words(&error))?;
        let mut tls = Tls { connection, partner, has_started: false };
        tls.flush(out);
        Ok(tls)
    }

    /// Takes what came; appends the plaintext in it to `plain`, and what is to be sent for it to `out`. What is in `plain`
    /// was the partner's also where TLS failed after it.
    pub(super) fn take(&mut self, bytes: &[u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Opened {
        let taken = self.take_all(bytes, plain);
        // An alert says to the partner what is wrong.
        self.flush(out);
        let is_ready = !self.connection.is_handshaking();
        let started = is_ready && !self.has_started;
        self.has_started = is_ready;
        let (is_closed, failed) = match taken {
            Ok(is_closed) => (is_closed, None),
            Err(why) => (false, Some(why)),
        };
        Opened { started: started.then(|| self.partner.to_str().into_owned()), is_closed, failed }
    }

    /// Puts plaintext into records, for the partner.
    pub(super) fn put(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        // Less is taken only while more than a message waits, and nothing waits here.
        if self.connection.writer().write_all(plain).is_ok() {
            self.flush(out);
        }
    }

    /// Says that nothing more will come: the partner can tell it from a connection that was cut.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.flush(out);
    }

    /// Whether the partner has closed.
    fn take_all(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<bool, String> {
        while !bytes.is_empty() {
            self.connection
                .read_tls(&mut bytes)
                .map_err(|_| "the partner sends more than TLS allows".to_owned())?;
            let state = self.connection.process_new_packets().map_err(|error| in_words(&error))?;
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            let read = self.connection.reader().read_exact(&mut plain[start..]);
            read.map_err(|error| format!("what came cannot be read: {error}"))?;
            if state.peer_has_closed() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        // A vector takes everything.
        while self.connection.wants_write() && self.connection.write_tls(out).is_ok() {}
    }
}

/// Takes a client for the partner that has a certificate of whom we trust, and is named in it. rustls compares names of
/// servers only; a client that another authority's customer could be is no partner.
#[derive(Debug)]
struct Named {
    trusted: Arc<dyn ClientCertVerifier>,
    name: ServerName<'static>,
}

impl Named {
    fn new(
        trust: RootCertStore,
        provider: &Arc<CryptoProvider>,
        name: ServerName<'static>,
    ) -> Result<Named, String> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(trust), Arc::clone(provider));
        let trusted = builder.build().map_err(|error| error.to_string())?;
        Ok(Named { trusted, name })
    }
}

impl ClientCertVerifier for Named {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trusted.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.trusted.verify_client_cert(end_entity, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, &self.name)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

/// What is wrong, and what to do.
fn in_words(error: &Error) -> String {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "the certificate of the partner has expired: renew it there, or look at the clock here".to_owned()
        }
        Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "the certificate of the partner is not valid yet: look at the clocks of both servers".to_owned()
        }
        Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
            "the certificate of the partner is not from whom `trust` names: put its authority, or itself, there"
                .to_owned()
        }
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the certificate of the partner names somebody else: look at `partner-name`".to_owned()
        }
        Error::InvalidCertificate(C::InvalidPurpose | C::InvalidPurposeContext { .. }) => {
            "the certificate of the partner is not for this use: its extendedKeyUsage needs clientAuth on the primary, \
             serverAuth on the secondary"
                .to_owned()
        }
        Error::InvalidCertificate(why) => format!("the certificate of the partner is refused: {why}"),
        Error::NoCertificatesPresented => "the partner has shown no certificate".to_owned(),
        Error::AlertReceived(alert) => {
            format!("the partner ended it ({alert:?}): its log says why, most often it refuses our certificate")
        }
        Error::DecryptError => {
            "what came is not what the partner sent: it was changed, repeated or put in another order".to_owned()
        }
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            format!("what came is not TLS as it should be now, it may have been changed: {error}")
        }
        error => error.to_string(),
    }
}
