//! A run as one page of HTML that needs nothing else: no script, no network.
//!
//! *Lives here:* [`Subject`], [`Window`], [`page`]: what is said of a run, and which parts of it are shown close.
//! `picture/track.rs` makes what lasts of what happened, `picture/overview.rs` shows the whole run on one axis,
//! `picture/sequence.rs` a part of it message by message, `picture/svg.rs` has the elements.
//! *May know:* what happened, as values.
//! *Must not know:* worlds; lines for people.

mod overview;
mod sequence;
mod svg;
mod track;

use crate::checkers::Violation;
use crate::history::{CONTACT, Happening, Party, What};
use crate::report::{Clocked, Report};
use crate::run::Kind;
use svg::{Drawing, Escaped, class_of, name_of};
use track::{Condition, Tracks};

const STYLE: &str = include_str!("picture/style.css");

/// Happenings that are drawn close where nobody says which: before the violation, or around the first trouble.
const CLOSE: usize = 260;

/// Of these, how many before a trouble.
const BEFORE: usize = 30;

/// Happenings around each other trouble.
const AROUND: usize = 70;

/// Happenings that are drawn close on a page, so that it does not become too large.
const MOST: usize = 5000;

/// Troubles that the name of a part tells.
const NAMED: usize = 4;

/// Which part of a run is shown close, in milliseconds since it began. Where neither end is given, what is most telling is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// From here.
    pub from: Option<u64>,
    /// To here.
    pub to: Option<u64>,
}

/// What a page is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is called.
    pub title: &'a str,
    /// The command that makes the run again.
    pub command: &'a str,
    /// What is counted: names and numbers.
    pub counts: &'a [(String, String)],
    /// What must not happen, and did.
    pub violation: Option<&'a Violation>,
    /// All that happened.
    pub history: &'a [Happening],
    /// When the run ended, in milliseconds since it began.
    pub end: u64,
}

/// A part of the history that is drawn close.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chapter {
    name: String,
    /// Places in the history.
    places: std::ops::Range<usize>,
    is_open: bool,
}

/// The page of a report that has its history.
pub fn page_of(report: &Report, window: Window) -> String {
    let kind = match report.kind {
        Kind::Single => "servers without a partner",
        Kind::Pair => "a pair of servers",
        Kind::Dhcpd => "a server and a dhcpd",
    };
    let mut counts = vec![
        ("steps".to_owned(), report.steps.to_string()),
        ("troubles".to_owned(), report.befallen.len().to_string()),
    ];
    let happened = report.counts.iter(report.kind, report.hours.is_some()).filter(|(_, number)| *number > 0);
    counts.extend(happened.map(|(name, number)| (name, number.to_string())));
    page(
        &Subject {
            title: &format!("seed {}: {kind}", report.seed),
            command: &report.command(),
            counts: &counts,
            violation: report.violation.as_ref(),
            history: &report.history,
            end: report.virtual_millis,
        },
        window,
    )
}

/// The page of a run.
pub fn page(subject: &Subject<'_>, window: Window) -> String {
    let tracks = Tracks::of(subject.history, subject.end);
    let chapters = chapters(subject, &tracks, window);
    let mut page = Drawing::default();
    page.add(format_args!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>tandem sim, {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
        Escaped(subject.title)
    ));
    head(&mut page, subject, &tracks);
    page.add(format_args!("<h2>The whole run</h2>"));
    legend(&mut page, &tracks);
    page.add(format_args!("{}", overview::draw(subject, &tracks, &chapters)));
    page.add(format_args!("<h2>Close</h2>"));
    page.add(format_args!(
        "<p class=\"hint\">Time runs downwards, and not evenly: where nothing happens it is short. CONTACT messages, which only say \
         that their sender lives, are left out. Point at anything to read more. <code>--from</code> and <code>--to</code> show \
         another part.</p>"
    ));
    for (number, chapter) in chapters.iter().enumerate() {
        let open = if chapter.is_open { " open=\"open\"" } else { "" };
        page.add(format_args!(
            "<details class=\"chapter\" id=\"part-{number}\"{open}>\n<summary>{}</summary>",
            Escaped(&chapter.name)
        ));
        page.add(format_args!("{}</details>", sequence::draw(subject, &tracks, chapter)));
    }
    counts(&mut page, subject);
    page.add(format_args!("</body>\n</html>"));
    page.0
}

fn head(page: &mut Drawing, subject: &Subject<'_>, tracks: &Tracks) {
    page.add(format_args!("<h1>{}</h1>", Escaped(subject.title)));
    match subject.violation {
        Some(violation) => page.add(format_args!(
            "<p class=\"verdict bad\"><b>{} was violated</b> at {}: {}</p>",
            Escaped(violation.checker),
            Clocked(violation.at),
            Escaped(&violation.text)
        )),
        None => page.add(format_args!("<p class=\"verdict good\"><b>Nothing was violated.</b></p>")),
    }
    let of_people = tracks.marks.iter().filter(|mark| matches!(mark.whom, Party::Client(_))).count();
    let dhcp = tracks.arrows.iter().filter(|arrow| arrow.name.starts_with("DHCP")).count();
    let contacts = tracks.arrows.iter().filter(|arrow| arrow.name == CONTACT).count();
    let facts = [
        ("simulated time", Clocked(subject.end).to_string()),
        ("addresses used", tracks.holds.len().to_string()),
        ("leases", tracks.holds.values().map(Vec::len).sum::<usize>().to_string()),
        ("DHCP messages", dhcp.to_string()),
        ("failover messages", (tracks.arrows.len() - dhcp - contacts).to_string()),
        ("troubles of servers", (tracks.marks.len() - of_people).to_string()),
        ("habits of clients", of_people.to_string()),
    ];
    page.add(format_args!("<dl class=\"facts\">"));
    for (name, value) in facts {
        page.add(format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    }
    page.add(format_args!("</dl>\n<p>Again: <code>{}</code></p>", Escaped(subject.command)));
}

fn counts(page: &mut Drawing, subject: &Subject<'_>) {
    if subject.counts.is_empty() {
        return;
    }
    page.add(format_args!("<h2>Counted</h2>\n<div class=\"counts\">"));
    for (name, number) in subject.counts {
        page.add(format_args!("<div><b>{}</b> {}</div>", Escaped(number), Escaped(name)));
    }
    page.add(format_args!("</div>"));
}

fn legend(page: &mut Drawing, tracks: &Tracks) {
    page.add(format_args!("<div class=\"legend\">"));
    let mut conditions: Vec<Condition> = tracks.conditions.iter().flatten().map(|span| span.what).collect();
    conditions.sort_unstable();
    conditions.dedup();
    let entry = |page: &mut Drawing, shape: &str, name: &str| {
        page.add(format_args!(
            "<span><svg width=\"22\" height=\"14\" viewBox=\"0 0 22 14\">{shape}</svg>{}</span>",
            Escaped(name)
        ));
    };
    for condition in conditions {
        let shape = format!("<rect class=\"{}\" width=\"22\" height=\"14\"/>", class_of(condition));
        entry(page, &shape, name_of(condition));
    }
    if tracks.stands.iter().any(|spans| !spans.is_empty()) {
        entry(page, "<rect class=\"stands\" width=\"22\" height=\"14\"/>", "stands still");
    }
    if tracks.is_pair {
        entry(
            page,
            "<rect class=\"silent\" y=\"4\" width=\"22\" height=\"5\"/>",
            "nothing gets through to the partner",
        );
    }
    for (class, name) in overview::SORTS {
        entry(page, &format!("<path class=\"mark {class}\" d=\"M5 2h12l-6 10z\"/>"), name);
    }
    entry(
        page,
        "<rect class=\"c3\" y=\"3\" width=\"22\" height=\"8\"/>",
        "a client uses an address, a colour for each",
    );
    entry(
        page,
        "<rect class=\"c3 void\" y=\"3\" width=\"22\" height=\"8\"/>",
        "a server has heard that it was given back",
    );
    entry(page, "<rect class=\"shared\" y=\"3\" width=\"22\" height=\"8\"/>", "two clients use one address");
    entry(page, "<path class=\"arrow dhcp\" d=\"M0 7h20m-5 -4l5 4l-5 4\"/>", "DHCP");
    if tracks.is_pair {
        entry(page, "<path class=\"arrow failover\" d=\"M0 7h20m-5 -4l5 4l-5 4\"/>", "failover");
    }
    entry(page, "<path class=\"arrow lost\" d=\"M0 7h13m-3 -4l8 8m0 -8l-8 8\"/>", "lost");
    page.add(format_args!("</div>"));
}

/// Whether something has a row of its own where a part is drawn close.
fn has_row(what: &What) -> bool {
    match what {
        What::Sends { name, to, .. } => *name != CONTACT && !to.is_empty(),
        What::Trouble { .. }
        | What::Healed
        | What::Serves { .. }
        | What::Ends { .. }
        | What::Stands { .. }
        | What::Silent { .. }
        | What::State { .. }
        | What::Holds { .. }
        | What::LetsGo { .. } => true,
        What::Note(_) | What::Heard { .. } | What::GivenBack { .. } | What::Recorded { .. } => false,
    }
}

/// The parts that are drawn close.
fn chapters(subject: &Subject<'_>, tracks: &Tracks, window: Window) -> Vec<Chapter> {
    let history = subject.history;
    // Places of all that has a row.
    let rows: Vec<usize> = (0..history.len()).filter(|place| has_row(&history[*place].what)).collect();
    let place = |row: usize| rows.get(row).copied().unwrap_or(history.len());
    if window != Window::default() {
        let from = history.partition_point(|one| one.at < window.from.unwrap_or(0));
        let to = history.partition_point(|one| one.at <= window.to.unwrap_or(u64::MAX));
        let first = rows.partition_point(|place| *place < from);
        let last = rows.partition_point(|place| *place < to).min(first + MOST);
        return vec![chapter("What was asked for", history, place(first)..place(last), true)];
    }
    if rows.len() <= CLOSE {
        return vec![chapter("All of it", history, 0..history.len(), true)];
    }
    let of_servers = tracks.marks.iter().filter(|mark| !matches!(mark.whom, Party::Client(_)));
    let mut troubles: Vec<usize> =
        of_servers.map(|mark| rows.partition_point(|place| *place < mark.place)).collect();
    let mut chapters = Vec::new();
    let main = if subject.violation.is_some() {
        rows.len().saturating_sub(CLOSE)..rows.len()
    } else {
        let first = troubles.first().copied().unwrap_or(0).saturating_sub(BEFORE);
        first..(first + CLOSE).min(rows.len())
    };
    troubles.retain(|row| !main.contains(row));
    let mut left = MOST - CLOSE;
    let mut around: Vec<std::ops::Range<usize>> = Vec::new();
    for row in troubles {
        let part = row.saturating_sub(BEFORE / 3)..(row + AROUND).min(rows.len());
        // What overlaps is told in one.
        let known = around.last().map_or(0, |last| last.end);
        let new = part.end.saturating_sub(known.max(part.start));
        if new > left {
            break;
        }
        left -= new;
        match around.last_mut().filter(|last| last.end >= part.start) {
            Some(last) => last.end = part.end.max(last.end),
            None => around.push(part),
        }
    }
    let name = if subject.violation.is_some() { "Before the violation" } else { "Around the first trouble" };
    chapters.push((main, name, true));
    chapters.extend(around.into_iter().map(|rows| (rows, "Other troubles", false)));
    chapters.sort_by_key(|(rows, ..)| rows.start);
    let named = |(rows, name, is_open): (std::ops::Range<usize>, &str, bool)| {
        chapter(name, history, place(rows.start)..place(rows.end), is_open)
    };
    chapters.into_iter().map(named).collect()
}

fn chapter(name: &str, history: &[Happening], places: std::ops::Range<usize>, is_open: bool) -> Chapter {
    let part = &history[places.clone()];
    let (Some(first), Some(last)) = (part.first(), part.last()) else {
        return Chapter { name: format!("{name}: nothing happens"), places, is_open };
    };
    let troubles = part.iter().filter_map(|one| match &one.what {
        What::Trouble { whom: Party::Server(_) | Party::Pair, kind, .. } => Some(kind.as_str()),
        _ => None,
    });
    let troubles: Vec<&str> = troubles.collect();
    let more =
        if troubles.len() > NAMED { format!(" and {} more", troubles.len() - NAMED) } else { String::new() };
    let named = troubles.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let colon = if named.is_empty() { "" } else { ": " };
    let name = format!("{name}, {} to {}{colon}{named}{more}", Clocked(first.at), Clocked(last.at));
    Chapter { name, places, is_open }
}
