//! Whether two servers fit each other, by their files, before anything moves.
//!
//! *Lives here:* [`compare`]; in the folder both servers as the same kind of value (`view`, `tandem`), the catalogue of what is
//! looked at (`rules`), what must agree (`relationship`, `networks`, `pools`, `terms`, `reservations`), what an operator should
//! know beside (`advice`), how it is shown (`finding`), and what the first bytes of a partner tell (`greeting`).
//! *May know:* both configuration languages; what a Tandem and a dhcpd do with what is written.
//! *Must not know:* this host, a running server.

mod advice;
mod finding;
mod greeting;
mod networks;
pub(crate) mod place;
mod pools;
mod relationship;
mod reservations;
pub mod rules;
mod tandem;
mod terms;
pub(crate) mod view;
mod words;

pub use finding::{Finding, Place};
pub use greeting::{GREETING, time_of_connect};
pub use place::{Source, Spot};
pub use view::Kind;

use crate::dhcpd::{self, Files};
use crate::report::Report;
use crate::{MAX_FILE, ServerConfig, Severity, schema, table_of};
use std::io::Read as _;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use view::View;

/// Whose file it is: files that it names are looked for on this host, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Of this server.
    Ours,
    /// Of its partner.
    Partner,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// All at once: errors first, then by number, then by place.
    pub findings: Vec<Finding>,
    /// What runs here, and there.
    pub kinds: [Kind; 2],
    /// Where the two meet, for each relationship that they have in common.
    pub meetings: Vec<Meeting>,
    /// This server's configuration, if it is a Tandem and without faults.
    pub config: Option<ServerConfig>,
}

impl Comparison {
    /// Findings of one more place, among the others.
    pub fn add(&mut self, findings: Vec<Finding>) {
        let order = |severity| match severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Remark => 2,
        };
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| (order(finding.rule.severity), finding.rule.number));
    }
}

/// Where the two servers of a relationship meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Its name at this server.
    pub name: String,
    /// Where this server listens, as far as its file says.
    pub own: Option<SocketAddrV4>,
    /// Where its partner does.
    pub partner: Option<SocketAddrV4>,
}

/// One server.
struct Server {
    view: View,
    config: Option<ServerConfig>,
    /// Whether its file could be understood so far that a comparison says something.
    understood: bool,
}

/// Compares two files, each of a Tandem or of a dhcpd, which their content says.
///
/// # Errors
/// When a file cannot be read at all.
pub fn compare(ours: &Path, partner: &Path) -> Result<Comparison, Report> {
    let texts = [text_of(ours)?, text_of(partner)?];
    Ok(compare_texts([(ours, &texts[0]), (partner, &texts[1])]))
}

/// Compares two texts, this server's first, each with the path of its file.
pub fn compare_texts([ours, partner]: [(&Path, &str); 2]) -> Comparison {
    let [ours, partner] = [server(ours, Side::Ours), server(partner, Side::Partner)];
    let views = [&ours.view, &partner.view];
    let mut findings = Vec::new();
    for view in views {
        advice::of_file(view, &mut findings);
    }
    let mut meetings = Vec::new();
    if ours.understood && partner.understood {
        let pairs = relationship::pairs(views, &mut findings);
        for pair in &pairs {
            relationship::compare(views, *pair, &mut findings);
            let [ours, _] = relationship::both(views, *pair);
            let [own, partner] = [&ours.own, &ours.peer].map(|at| at.as_ref().map(|at| at.value));
            meetings.push(Meeting { name: ours.name.clone(), own, partner });
        }
        if !pairs.is_empty() {
            networks::compare(views, &mut findings);
            let shared = pools::compare(views, &pairs, &mut findings);
            terms::compare(views, &shared, &mut findings);
            reservations::compare(views, &mut findings);
            advice::to_know(views, &pairs, &mut findings);
        }
    }
    let kinds = [ours.view.kind, partner.view.kind];
    let mut comparison = Comparison { findings: Vec::new(), kinds, meetings, config: ours.config };
    comparison.add(findings);
    comparison
}

/// The files of this host.
struct OfHost(Side);

impl Files for OfHost {
    fn read(&self, path: &Path) -> Result<String, String> {
        bytes_of(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn are_of_this_host(&self) -> bool {
        self.0 == Side::Ours
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_FILE {
        return Err(format!("the file has more than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

fn text_of(path: &Path) -> Result<String, Report> {
    let bytes = bytes_of(path).map_err(|why| {
        Report::of_file(&path.display().to_string(), &format!("the file cannot be read: {why}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn server((path, text): (&Path, &str), side: Side) -> Server {
    if dhcpd::is_dhcpd(text) {
        return Server { view: dhcpd::read(path, text, &OfHost(side)), config: None, understood: true };
    }
    let name = path.display().to_string();
    let mut report = match side {
        Side::Ours => Report::new(&name, text),
        Side::Partner => Report::of_another_host(&name, text),
    };
    let whole = table_of(text, &mut report).map(|table| schema::read(table.get_ref(), &mut report));
    let source = Arc::new(Source { name, text: text.to_owned() });
    let mut view =
        whole.as_ref().map_or_else(|| View::new(Kind::Tandem, &source), |whole| tandem::view(&source, whole));
    for diagnostic in report.diagnostics().iter().filter(|found| found.severity == Severity::Error) {
        let spot = Spot { source: Arc::clone(&source), span: diagnostic.span.clone() };
        view.fault(&spot, diagnostic.message.clone(), &diagnostic.help);
    }
    let config = whole.as_ref().and_then(|whole| whole.config.clone()).filter(|_| !report.has_errors());
    Server { view, config, understood: whole.is_some() }
}
