//! How long the certificate of this server still holds.
//!
//! *Lives here:* the events about it, in good time and then every day.
//! *May know:* when it ends.
//! *Must not know:* what a certificate is.

use crate::config::{CERTIFICATE_WARNING, RelationshipId};
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use failover::time::{Interval, Time};

/// How often people are told of it.
const AGAIN: Interval = Interval::from_seconds(86_400);

impl Engine {
    /// Tells of a certificate that ends soon, or has ended. Stamps come more often than this is due, and wake it.
    pub(super) fn look_at_certificate(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        outbox: &mut Outbox,
    ) {
        let parts = self.config.relationship(relationship);
        let Some(expires) = parts.tls.map(|tls| tls.certificate_expires) else { return };
        let name = parts.name.clone();
        let endpoint = self.endpoint_mut(relationship);
        if now < endpoint.certificate_at || now.plus(CERTIFICATE_WARNING) < expires {
            return;
        }
        endpoint.certificate_at = now.plus(AGAIN);
        outbox.event(if expires <= now {
            Event::CertificateExpired { relationship: name }
        } else {
            Event::CertificateExpires { relationship: name, after: expires.since(now) }
        });
    }
}
