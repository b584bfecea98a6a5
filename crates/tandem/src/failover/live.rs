//! What this host says to a pair, and whether the partner can be reached from it.
//!
//! *Lives here:* [`look`]: facts are gathered, then judged. Nothing is changed, and nothing is said to the partner: a
//! connection is opened, listened to, and closed. A running pair stays as it is; a primary speaks first on any connection,
//! and what it says has the time of its clock.
//! *Must not know:* what the two files say, beyond where the servers meet.

use crate::host::{self, Weight};
use config::PartnerAddresses;
use config::pair::{Comparison, Finding, GREETING, Kind, Meeting, rules, time_of_connect};
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, SystemTime};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the partner is listened to.
const LISTENING: Duration = Duration::from_secs(2);

/// A dhcpd refuses a partner whose clock is further away, in seconds.
const MOST_APART: i64 = 60;

/// What is said of clocks that are further apart, in seconds.
const APART: i64 = 2;

/// What came of a connection to the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Contact {
    /// It listens, and said nothing.
    Silent,
    /// It began to speak; its clock is so many seconds ahead of this host's.
    Told(i64),
    /// It took the connection and closed it.
    Closed,
    /// Its host refuses the port.
    Refused,
    /// Nothing came back.
    NoAnswer(String),
}

/// Looks at this host and for the partner.
pub(super) fn look(comparison: &Comparison) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = host::addresses();
    for meeting in &comparison.meetings {
        address(meeting, &own, &mut findings);
        if let Some(partner) = meeting.partner {
            findings.push(contact(meeting, partner, &reach(partner), comparison.kinds));
        }
    }
    let seen = match &comparison.config {
        Some(config) => host::check(config),
        None => host::firewall_before(&ends(&comparison.meetings)),
    };
    let mut held = Vec::new();
    for found in seen {
        host_finding(&found, &mut held, &mut findings);
    }
    if !server::clock_is_synchronised() {
        let text = "the kernel says that nobody synchronises it: let NTP, as chrony or systemd-timesyncd, keep the clock";
        findings.push(Finding::about(rules::UNSYNCHRONISED, "this host: clock", text));
    }
    findings.push(looked_at(comparison, &held));
    findings
}

fn ends(meetings: &[Meeting]) -> Vec<PartnerAddresses> {
    let both = |meeting: &Meeting| Some(PartnerAddresses { listen: meeting.own?, partner: meeting.partner? });
    meetings.iter().filter_map(both).collect()
}

fn address(meeting: &Meeting, own: &[Ipv4Addr], findings: &mut Vec<Finding>) {
    let Some(at) = meeting.own.filter(|at| !own.contains(at.ip())) else { return };
    let text = format!(
        "no interface of this host has {}, where this server listens for its partner: give one that address, or run this on \
         the host of this server",
        at.ip()
    );
    findings.push(Finding::about(rules::NOT_THIS_HOST, "this host: addresses", text));
}

/// Opens a connection, and hears what comes by itself.
fn reach(partner: SocketAddrV4) -> Contact {
    let mut stream = match TcpStream::connect_timeout(&partner.into(), PATIENCE) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Contact::Refused,
        Err(error) => return Contact::NoAnswer(error.to_string()),
    };
    let mut bytes = Vec::new();
    if stream.set_read_timeout(Some(LISTENING)).is_err() {
        return Contact::Silent;
    }
    while bytes.len() < GREETING {
        let mut piece = [0; GREETING];
        match stream.read(&mut piece) {
            Ok(0) => return Contact::Closed,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Contact::Silent;
            }
            Err(_) => return Contact::Closed,
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    time_of_connect(&bytes).map_or(Contact::Silent, |time| Contact::Told(i64::from(time) - now))
}

fn contact(meeting: &Meeting, partner: SocketAddrV4, contact: &Contact, kinds: [Kind; 2]) -> Finding {
    let about = format!("{partner}, the partner in \"{}\"", meeting.name.escape_debug());
    let clocks = "compare the clocks: `date +%s` on both at once";
    let (rule, text) = match contact {
        Contact::Told(apart) => return told(about, *apart, kinds),
        Contact::Silent => (
            rules::ANSWERS,
            format!(
                "it listens. It said nothing by itself, as a secondary does, and was not asked, which would have begun a \
                 connection in the place of another; so {clocks}"
            ),
        ),
        Contact::Closed => (
            rules::ANSWERS,
            format!(
                "it listens, and closed the connection: it does not know the address from which this host reaches it, or \
                 takes no second connection; `ip route get {}` says which address that is. And {clocks}",
                partner.ip()
            ),
        ),
        Contact::Refused => (
            rules::NO_ANSWER,
            "nobody listens there: its server does not run, or listens on another address or port; or a firewall refuses"
                .to_owned(),
        ),
        Contact::NoAnswer(why) => (
            rules::NO_ANSWER,
            format!(
                "no connection could be made within {} s ({why}): look for a firewall between the two, and at `ip route get \
                 {}`",
                PATIENCE.as_secs(),
                partner.ip()
            ),
        ),
    };
    Finding::about(rule, about, text)
}

/// It told its time, to the second.
fn told(about: String, apart: i64, kinds: [Kind; 2]) -> Finding {
    let by = format!(
        "its clock is {} s {} this host's",
        apart.unsigned_abs(),
        if apart < 0 { "behind" } else { "ahead of" }
    );
    if apart.abs() > MOST_APART && kinds.contains(&Kind::Dhcpd) {
        let text = format!(
            "{by}: a dhcpd refuses a partner that is more than {MOST_APART} s away; synchronise both"
        );
        return Finding::about(rules::CLOCKS_APART, about, text);
    }
    if apart.abs() > APART {
        let text =
            format!("{by}: leases end earlier on one side than on the other; let NTP keep both to a second");
        return Finding::about(rules::CLOCKS_DIFFER, about, text);
    }
    let text = "it listens, and its clock agrees with this host's to the second or two that can be seen";
    Finding::about(rules::ANSWERS, about, text)
}

/// What `tandem check` says of this host. Ports that a dhcpd holds are to be free only when it has stopped.
fn host_finding(found: &host::Finding, held: &mut Vec<String>, findings: &mut Vec<Finding>) {
    if found.text.starts_with("in use by dhcpd ") {
        held.push(found.at.clone());
        return;
    }
    // Said by this room.
    if found.text.starts_with("no interface has this address") {
        return;
    }
    let rule = match found.weight {
        Weight::Error => rules::UNFIT,
        Weight::Warning if found.at == "firewall" => rules::FIREWALL,
        Weight::Note if found.text.starts_with("rp_filter") => rules::RP_FILTER,
        Weight::Warning => rules::HOST,
        Weight::Note => rules::HOST_NOTE,
    };
    findings.push(Finding::about(rule, format!("this host: {}", found.at), found.text.clone()));
}

fn looked_at(comparison: &Comparison, held: &[String]) -> Finding {
    let mut text = "looked at: addresses of all interfaces; `nft list ruleset`, or else `iptables-save -t filter`, as far as this \
                    user may; whether the kernel calls its clock synchronised; the partner's port, by a connection on which \
                    nothing was said"
        .to_owned();
    if comparison.config.is_some() {
        text +=
            "; the interfaces named, /proc/sys/net/ipv4/conf/*/rp_filter, UDP port 67, the state directory";
    } else {
        text += "; not at interfaces and rp_filter, which only a tandem.toml without faults names";
    }
    if !held.is_empty() {
        text += ". A dhcpd holds ";
        text += &held.join(" and ");
        text += ": it must have stopped when Tandem starts";
    }
    Finding::about(rules::LOOKED_AT, "this host", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpListener};

    fn meeting() -> Meeting {
        let [own, partner] = ["192.0.2.2:647", "192.0.2.1:647"].map(|at| at.parse().ok());
        Meeting { name: "campus".to_owned(), own, partner }
    }

    fn shown(findings: &[Finding]) -> String {
        findings.iter().map(|finding| finding.render(false) + "\n\n").collect()
    }

    #[test]
    fn whatever_the_partner_does_is_told() {
        let of = |what: Contact, kinds| contact(&meeting(), meeting().partner.unwrap(), &what, kinds);
        let [tandems, joining] = [[Kind::Tandem; 2], [Kind::Tandem, Kind::Dhcpd]];
        let findings = [
            of(Contact::Silent, joining),
            of(Contact::Closed, joining),
            of(Contact::Refused, joining),
            of(Contact::NoAnswer("connection timed out".to_owned()), joining),
            of(Contact::Told(1), joining),
            of(Contact::Told(-9), joining),
            of(Contact::Told(61), joining),
            of(Contact::Told(61), tandems),
        ];
        insta::assert_snapshot!(shown(&findings));
    }

    #[test]
    fn this_host_is_not_the_one_or_is_in_the_way() {
        let mut findings = Vec::new();
        address(&meeting(), &[Ipv4Addr::LOCALHOST], &mut findings);
        address(&meeting(), &[Ipv4Addr::new(192, 0, 2, 2)], &mut findings);
        let mut held = Vec::new();
        for (weight, at, text) in [
            (Weight::Error, "UDP port 67", "in use by dhcpd (1234): stop it, and keep it from starting"),
            (Weight::Error, "UDP port 67", "in use by kea-dhcp4 (1): stop it, and keep it from starting"),
            (
                Weight::Warning,
                "TCP port 192.0.2.2:647, where partners connect",
                "no interface has this address: x",
            ),
            (Weight::Warning, "firewall", "the firewall (nft) refuses"),
            (Weight::Note, "interface eth0", "rp_filter is 1 (strict)"),
            (Weight::Warning, "interface eth0", "it is down"),
            (Weight::Note, "UDP port 67", "in use by tandem (7): the server runs already"),
        ] {
            let found = host::Finding { weight, at: at.to_owned(), text: text.to_owned() };
            host_finding(&found, &mut held, &mut findings);
        }
        let comparison = Comparison {
            findings: Vec::new(),
            kinds: [Kind::Dhcpd; 2],
            meetings: vec![meeting()],
            config: None,
        };
        findings.push(looked_at(&comparison, &held));
        insta::assert_snapshot!(shown(&findings));
        assert_eq!(ends(&comparison.meetings).len(), 1);
    }

    /// What a listener does with the connection, and what is seen of it.
    fn seen(does: impl FnOnce(TcpStream) + Send + 'static) -> Contact {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(at) = listener.local_addr().unwrap() else { panic!("an IPv4 address") };
        let partner = std::thread::spawn(move || does(listener.accept().unwrap().0));
        let contact = reach(at);
        partner.join().unwrap();
        contact
    }

    #[test]
    fn a_partner_is_heard_and_nothing_is_said_to_it() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let told = seen(move |mut stream| {
            let mut header = vec![0, 0x6c, 5, 12];
            header.extend(u32::try_from(now + 500).unwrap().to_be_bytes());
            // In two pieces, as TCP may.
            stream.write_all(&header).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            stream.write_all(&[0, 0, 0, 1]).unwrap();
            let mut said = Vec::new();
            assert_eq!(stream.read_to_end(&mut said).unwrap_or(0), 0);
        });
        assert!(matches!(told, Contact::Told(490..=510)), "{told:?}");
        assert_eq!(seen(drop), Contact::Closed);
        let silent = seen(|mut stream| {
            let mut said = Vec::new();
            assert_eq!(stream.read_to_end(&mut said).unwrap(), 0);
        });
        assert_eq!(silent, Contact::Silent);
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let SocketAddr::V4(free) = free else { panic!("an IPv4 address") };
        assert_eq!(reach(free), Contact::Refused);
    }
}
