//! One relationship, for people.
//!
//! *Lives here:* [`lines`].
//! *Must not know:* which states there are, and what they mean: the server says what to do.

use crate::output::{Tone, toned};
use crate::table::{count, duration, moment};
use server::control::json::{Moment, Relationship};

/// The pair as `status` and `failover status` show it.
pub(crate) fn lines(pair: &Relationship, color: bool) -> Vec<String> {
    let heading = format!("FAILOVER {}", pair.relationship_name);
    let mut lines = vec![format!(
        "{}  this server is the {}, the partner is at {}",
        toned(color, Tone::Bold, &heading),
        pair.role,
        pair.partner
    )];
    let mut add = |name: &str, value: String| lines.push(format!("  {name:<18}  {value}"));
    let state = toned(color, tone(pair, &pair.state), &pair.state);
    add("state", format!("{state}{}", since(pair.state_since.as_ref())));
    add(
        "state of partner",
        match &pair.partner_state {
            Some(state) => format!("{state}{}", since(pair.partner_state_since.as_ref())),
            None => "never heard".to_owned(),
        },
    );
    add(
        "contact",
        match (pair.in_contact, &pair.last_communicated) {
            (true, _) => "yes".to_owned(),
            (false, Some(last)) => {
                format!("{}, last heard {}", toned(color, Tone::Bad, "no"), moment(&last.time))
            }
            (false, None) => format!("{}, never heard", toned(color, Tone::Bad, "no")),
        },
    );
    if let Some(security) = security(pair) {
        add("security", security);
    }
    let mut updates = format!("{} unacked, {} queued", count(pair.unacked), count(pair.queued));
    for (number, what) in [(pair.rejected, "rejected by the partner"), (pair.unagreed, "to be agreed upon")] {
        if number > 0 {
            updates = format!("{updates}, {} {what}", count(number));
        }
    }
    add("updates", updates);
    add(
        "free addresses",
        format!(
            "{} of the primary (FREE), {} of the secondary (BACKUP)",
            count(pair.free),
            count(pair.backup)
        ),
    );
    add("clock difference", format!("{} s", pair.clock_difference));
    add("MCLT", duration(pair.mclt));
    if pair.storage_lost {
        add("storage lost", toned(color, Tone::Bad, "yes: the bindings come back from the partner"));
    }
    if let Some(alive) = &pair.alive {
        let text = format!("{}: new leases end MCLT after that at the latest", moment(&alive.time));
        add("alive", toned(color, Tone::Warning, &text));
    }
    lines
}

/// What proves who the partner is, as far as there is one.
fn security(pair: &Relationship) -> Option<String> {
    let signed = "each message is signed";
    match (&pair.tls_peer, pair.signed) {
        (Some(peer), false) => Some(format!("TLS, the partner is {}", peer.escape_debug())),
        (Some(peer), true) => Some(format!("TLS, the partner is {}; {signed}", peer.escape_debug())),
        (None, true) => Some(signed.to_owned()),
        (None, false) => pair.in_contact.then(|| "none: nothing proves who the partner is".to_owned()),
    }
}

fn since(moment: Option<&Moment>) -> String {
    moment.map_or_else(String::new, |since| format!(" since {}", self::moment(&since.time)))
}

fn tone(pair: &Relationship, state: &str) -> Tone {
    match (pair.answers, state) {
        (false, _) => Tone::Bad,
        (true, "NORMAL") => Tone::Good,
        (true, _) => Tone::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment { time: text.to_owned(), seconds: Some(1) }
    }

    fn pair() -> Relationship {
        Relationship {
            relationship_name: "campus".to_owned(),
            role: "secondary".to_owned(),
            partner: "192.0.2.1:647".parse().unwrap(),
            state: "NORMAL".to_owned(),
            state_since: Some(moment("2026-11-24T23:06:58Z")),
            answers: true,
            what_to_do: "Nothing.".to_owned(),
            partner_state: Some("NORMAL".to_owned()),
            partner_state_since: Some(moment("2026-11-24T23:06:59Z")),
            in_contact: true,
            last_communicated: Some(moment("2026-11-24T23:30:00Z")),
            tls_peer: Some("tandem-a.example".to_owned()),
            signed: false,
            clock_difference: 1,
            mclt: 3600,
            queued: 0,
            unacked: 0,
            rejected: 0,
            unagreed: 0,
            free: 2000,
            backup: 1999,
            storage_lost: false,
            alive: None,
        }
    }

    #[test]
    fn a_pair_in_normal() {
        insta::assert_snapshot!(lines(&pair(), false).join("\n"));
    }

    #[test]
    fn a_pair_in_trouble() {
        let alone = Relationship {
            state: "COMMUNICATIONS-INTERRUPTED".to_owned(),
            partner_state: None,
            partner_state_since: None,
            in_contact: false,
            tls_peer: None,
            alive: Some(moment("2026-11-24T23:30:05Z")),
            queued: 1234,
            ..pair()
        };
        let lost = Relationship {
            state: "RECOVER".to_owned(),
            state_since: None,
            answers: false,
            in_contact: false,
            last_communicated: None,
            rejected: 3,
            unagreed: 2,
            storage_lost: true,
            tls_peer: None,
            signed: true,
            ..pair()
        };
        insta::assert_snapshot!(
            [lines(&alone, false).join("\n"), lines(&lost, false).join("\n")].join("\n\n")
        );
        assert!(lines(&lost, true).iter().any(|line| line.contains("\x1b[1;31mRECOVER\x1b[0m")));
    }
}
