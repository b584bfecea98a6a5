//! A part of a run, message by message: life lines side by side, time downwards.
//!
//! *Lives here:* [`draw`].
//! *Must not know:* which part is worth a look.

use super::overview::{name_of_server, number};
use super::svg::{At, Drawing, Escaped, Until, class_of, class_of_client, name_of};
use super::track::{Arrow, Condition, Span, Tracks};
use super::{Chapter, Subject, has_row};
use crate::history::{CONTACT, Happening, Party, What};
use crate::report::Clocked;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

const TIMES: f64 = 118.0;
const CLIENT_STEP: f64 = 60.0;
const SERVER_STEP: f64 = 310.0;
const ADDRESS_STEP: f64 = 64.0;
const HEAD: f64 = 38.0;
const BAND: f64 = 12.0;

/// Height of a row with a label, and of one without.
const ROW: f64 = 16.0;
const THIN_ROW: f64 = 4.0;

/// Room for what was violated, below all rows.
const FOOT: f64 = 20.0;

/// Letters in a line of it.
const LINE: usize = 150;

/// A pause that is shown as one, in milliseconds.
const PAUSE: u64 = 60_000;

/// Where everybody stands.
struct Columns {
    parties: BTreeMap<Party, f64>,
    addresses: BTreeMap<Ipv4Addr, f64>,
    width: f64,
}

/// How far down everything is.
struct Rows {
    /// Of each happening that is drawn: its time and its place on the page.
    all: Vec<(u64, f64)>,
    by_place: BTreeMap<usize, f64>,
    bottom: f64,
}

impl Rows {
    fn of(history: &[Happening], tracks: &Tracks, chapter: &Chapter) -> Rows {
        let seen = tracks.arrows.iter().filter(|arrow| arrow.name != CONTACT);
        let heard: BTreeSet<usize> =
            seen.flat_map(|arrow| arrow.heard.iter().map(|(_, place)| *place)).collect();
        let mut rows = Rows { all: Vec::new(), by_place: BTreeMap::new(), bottom: 0.0 };
        let mut y = 4.0;
        for place in chapter.places.clone() {
            let Happening { at, what } = &history[place];
            let height = match what {
                _ if has_row(what) => ROW,
                _ if heard.contains(&place) => THIN_ROW,
                _ => continue,
            };
            if let Some((before, _)) = rows.all.last() {
                // A second takes a little more room than a millisecond, an hour not much more than a second.
                y += height + 4.0 * (1.0 + number(at - before) / 20.0).log10();
                y += if at - before >= PAUSE { 20.0 } else { 0.0 };
            } else {
                y += height;
            }
            rows.all.push((*at, y));
            rows.by_place.insert(place, y);
        }
        rows.bottom = y + 16.0;
        rows
    }

    /// How far down a moment is.
    fn y(&self, at: u64) -> f64 {
        let next = self.all.partition_point(|(time, _)| *time < at);
        match (next.checked_sub(1).and_then(|before| self.all.get(before)), self.all.get(next)) {
            (None, _) => 0.0,
            (Some(_), None) => self.bottom,
            (Some((before, top)), Some((after, bottom))) => {
                top + (bottom - top) * number(at - before) / number((after - before).max(1))
            }
        }
    }

    /// How far down something begins and ends.
    fn ends<T>(&self, span: &Span<T>) -> (f64, f64) {
        let drawn = |place: usize| self.by_place.get(&place).copied();
        let top = drawn(span.places.0).unwrap_or_else(|| self.y(span.from));
        let bottom = span.places.1.and_then(drawn).unwrap_or_else(|| self.y(span.to));
        (top, bottom.max(top))
    }

    fn has<T>(&self, span: &Span<T>) -> bool {
        span.from <= self.last() && span.to >= self.first()
    }

    fn first(&self) -> u64 {
        self.all.first().map_or(0, |(at, _)| *at)
    }

    fn last(&self) -> u64 {
        self.all.last().map_or(0, |(at, _)| *at)
    }
}

impl Columns {
    fn of(tracks: &Tracks, history: &[Happening], chapter: &Chapter, rows: &Rows) -> Columns {
        let mut clients = BTreeSet::new();
        for Happening { what, .. } in &history[chapter.places.clone()] {
            let party = match what {
                What::Sends { from: Party::Server(_), to, .. } => to.first().copied(),
                What::Sends { from, .. } => Some(*from),
                What::Heard { by, .. } => Some(*by),
                What::Trouble { whom, .. } => Some(*whom),
                What::Holds { client, .. } | What::LetsGo { client, .. } => Some(Party::Client(*client)),
                _ => None,
            };
            clients.extend(party.filter(|party| matches!(party, Party::Client(_))));
        }
        let mut parties = BTreeMap::new();
        let mut x = TIMES + 40.0;
        for client in clients {
            parties.insert(client, x);
            x += CLIENT_STEP;
        }
        x += 50.0;
        for server in 0..tracks.conditions.len() {
            parties.insert(Party::Server(server), x);
            x += SERVER_STEP;
        }
        let (first, last) = (parties.get(&Party::Server(0)), parties.get(&Party::Server(1)));
        if let (Some(first), Some(last)) = (first, last) {
            parties.insert(Party::Pair, (first + last) / 2.0);
        }
        x += 110.0 - SERVER_STEP;
        let is_used = |from: u64, to: u64| from <= rows.last() && to >= rows.first();
        let used =
            tracks.holds.iter().filter(|(_, spans)| spans.iter().any(|span| is_used(span.from, span.to)));
        let mut addresses = BTreeMap::new();
        for (address, _) in used {
            addresses.insert(*address, x);
            x += ADDRESS_STEP;
        }
        Columns { parties, addresses, width: x + 10.0 }
    }

    fn x(&self, party: Party) -> Option<f64> {
        self.parties.get(&party).copied()
    }
}

/// The drawing: the names, which stay in sight, and what happens below them.
pub(super) fn draw(subject: &Subject<'_>, tracks: &Tracks, chapter: &Chapter) -> String {
    let rows = Rows::of(subject.history, tracks, chapter);
    let columns = Columns::of(tracks, subject.history, chapter, &rows);
    let mut body = Drawing::default();
    lines(&mut body, tracks, &columns, &rows);
    times(&mut body, &columns, &rows);
    leases(&mut body, tracks, &columns, &rows);
    for arrow in tracks.arrows.iter().filter(|arrow| chapter.places.contains(&arrow.place)) {
        if arrow.name != CONTACT {
            draw_arrow(&mut body, arrow, &columns, &rows);
        }
    }
    let mut labelled = None;
    for place in chapter.places.clone() {
        if let Some(y) = rows.by_place.get(&place) {
            label(&mut body, &subject.history[place], &columns, *y, &mut labelled);
        }
    }
    let mut height = rows.bottom;
    if let Some(violation) = subject.violation.filter(|one| one.at >= rows.first() && one.at <= rows.last()) {
        let text = format!("{} violated: {}", violation.checker, violation.text);
        height += foot(&mut body, &text, &columns, rows.bottom);
    }
    let width = At(columns.width);
    format!(
        "<svg class=\"names\" width=\"{width}\" height=\"{HEAD}\" viewBox=\"0 0 {width} {HEAD}\">\n{}</svg>\n\
         <svg class=\"sequence\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n{}</svg>\n",
        names(tracks, &columns),
        body.0,
        height = At(height),
    )
}

fn names(tracks: &Tracks, columns: &Columns) -> String {
    let mut drawing = Drawing::default();
    for (party, x) in &columns.parties {
        let name = match party {
            Party::Server(server) => name_of_server(tracks, *server),
            Party::Client(client) => format!("client {client}"),
            Party::Pair => continue,
        };
        drawing.text("head", [*x, 24.0], &name);
    }
    for (address, x) in &columns.addresses {
        drawing.text("head address", [*x, 24.0], &address.to_string());
    }
    drawing.0
}

/// Life lines, and the bands along those of servers.
fn lines(body: &mut Drawing, tracks: &Tracks, columns: &Columns, rows: &Rows) {
    for (party, x) in &columns.parties {
        if *party != Party::Pair {
            body.line("life", [*x, 0.0, *x, rows.bottom]);
        }
    }
    for (server, spans) in tracks.conditions.iter().enumerate() {
        let Some(x) = columns.x(Party::Server(server)) else { continue };
        let mut band = |class: &str, (top, bottom): (f64, f64), title: &str| {
            body.rectangle(class, [x - BAND / 2.0, top, BAND, (bottom - top).max(1.0)], title);
        };
        for span in spans.iter().filter(|span| rows.has(span)) {
            let title = format!("{} from {} to {}", name_of(span.what), Clocked(span.from), Clocked(span.to));
            let (top, bottom) = rows.ends(span);
            let goes_on = span.places.1.is_none() && span.to >= rows.last();
            let bottom = if goes_on { rows.bottom } else { bottom };
            band(&format!("band {}", class_of(span.what)), (top, bottom), &title);
        }
        for span in tracks.stands[server].iter().filter(|span| rows.has(span)) {
            let title = format!("stands still from {} to {}", Clocked(span.from), Clocked(span.to));
            band("stands", rows.ends(span), &title);
        }
    }
    for (from, spans) in tracks.silent.iter().enumerate() {
        let Some(x) = columns.x(Party::Server(from)) else { continue };
        let x = if from == 0 { x + BAND } else { x - BAND - 4.0 };
        for span in spans.iter().filter(|span| span.from <= rows.last() && span.to >= rows.first()) {
            let title = format!(
                "nothing of server {from} gets through to its partner from {} to {}",
                Clocked(span.from),
                Clocked(span.to)
            );
            let (top, bottom) = rows.ends(span);
            body.rectangle("silent", [x, top, 4.0, (bottom - top).max(1.0)], &title);
        }
    }
}

/// Times on the left, where there is room for them, and pauses.
fn times(body: &mut Drawing, columns: &Columns, rows: &Rows) {
    let mut last: Option<(u64, f64)> = None;
    let mut before = None;
    for (at, y) in &rows.all {
        if let Some((earlier, above)) = before.replace((*at, *y))
            && at - earlier >= PAUSE
        {
            let middle = (above + y) / 2.0;
            body.line("pause", [TIMES, middle, columns.width, middle]);
            body.text("pause-name", [TIMES - 6.0, middle + 3.0], &lasting(at - earlier));
            last = last.map(|(time, _)| (time, middle));
        }
        if last.is_none_or(|(time, above)| time != *at && y - above >= 12.0) {
            body.text("time", [TIMES - 6.0, y + 3.5], &Clocked(*at).to_string());
            last = Some((*at, *y));
        }
    }
}

fn lasting(millis: u64) -> String {
    let minutes = millis / 60_000;
    match minutes {
        0..120 => format!("{minutes} min later"),
        _ => format!("{} h {} min later", minutes / 60, minutes % 60),
    }
}

fn leases(body: &mut Drawing, tracks: &Tracks, columns: &Columns, rows: &Rows) {
    for (address, x) in &columns.addresses {
        let spans = tracks.holds.get(address).map_or(&[][..], Vec::as_slice);
        body.line("life", [*x, 0.0, *x, rows.bottom]);
        for span in spans.iter().filter(|span| span.from <= rows.last() && span.to >= rows.first()) {
            let client = span.what.client;
            let title =
                format!("client {client} uses {address} from {} to {}", Clocked(span.from), Until(span.to));
            let sure = span.what.given_back.unwrap_or(span.to).min(span.to);
            let (top, end) = rows.ends(span);
            let goes_on = span.places.1.is_none() && span.to >= rows.last();
            let bottom = if goes_on { rows.bottom } else { end };
            let middle = rows.y(sure).max(top);
            let middle = if sure == span.to { bottom } else { middle };
            let class = class_of_client(client);
            body.rectangle(&format!("lease {class}"), [x - 7.0, top, 14.0, (middle - top).max(2.0)], &title);
            if middle < bottom {
                let title = format!("{title}; a server has heard that it was given back");
                body.rectangle(
                    &format!("lease void {class}"),
                    [x - 7.0, middle, 14.0, bottom - middle],
                    &title,
                );
            }
            body.text("holder", [x + 10.0, top.max(4.0) + 8.0], &format!("c{client}"));
        }
        for span in Tracks::shared(spans) {
            if span.from <= rows.last() && span.to >= rows.first() {
                let title = format!("two clients use {address} from here on");
                let (top, bottom) = rows.ends(&span);
                body.rectangle("shared", [x - 10.0, top - 2.0, 20.0, (bottom - top).max(2.0) + 4.0], &title);
            }
        }
    }
}

fn draw_arrow(body: &mut Drawing, arrow: &Arrow, columns: &Columns, rows: &Rows) {
    let (Some(from), Some(to), Some(top)) =
        (columns.x(arrow.from), columns.x(arrow.to), rows.by_place.get(&arrow.place).copied())
    else {
        return;
    };
    let kind = if matches!((arrow.from, arrow.to), (Party::Server(_), Party::Server(_))) {
        "failover"
    } else {
        "dhcp"
    };
    let towards = if to > from { 1.0 } else { -1.0 };
    let end = to - towards * if matches!(arrow.to, Party::Server(_)) { BAND / 2.0 } else { 1.0 };
    let about =
        format!("{}: {} to {}: {} {}", Clocked(arrow.sent), arrow.from, arrow.to, arrow.name, arrow.text);
    let in_sight = arrow.heard.iter().filter_map(|(at, place)| Some((*at, *rows.by_place.get(place)?)));
    let heard: Vec<(u64, f64)> = in_sight.collect();
    for (at, bottom) in &heard {
        let title = format!("{about} (heard {} ms later)", at - arrow.sent);
        body.add(format_args!(
            "<path class=\"arrow {kind}\" d=\"M{} {}L{end} {bottom}m{} -3.5l{} 3.5l{} 3.5\"><title>{}</title></path>",
            At(from),
            At(top),
            At(-6.0 * towards),
            At(6.0 * towards),
            At(-6.0 * towards),
            Escaped(&title),
            end = At(end),
            bottom = At(*bottom),
        ));
    }
    if !heard.is_empty() {
        return;
    }
    // Not lost, but heard after this part.
    if let Some((at, _)) = arrow.heard.first() {
        let title = format!("{about} (heard {} ms later, below)", at - arrow.sent);
        body.add(format_args!(
            "<path class=\"arrow late {kind}\" d=\"M{} {}L{} {}\"><title>{}</title></path>",
            At(from),
            At(top),
            At(end),
            At(rows.bottom),
            Escaped(&title)
        ));
        return;
    }
    let (x, y) = (from + (to - from) * 0.7, top + 5.0);
    body.add(format_args!(
        "<path class=\"arrow lost {kind}\" d=\"M{} {}L{x} {y}\"><title>{}</title></path>",
        At(from),
        At(top),
        Escaped(&format!("{about} (nobody took it in)")),
        x = At(x),
        y = At(y),
    ));
    body.cross("cross", [x, y], 7.0);
}

/// What is written beside a happening. Of a message the label is written once, whoever it goes to.
fn label(body: &mut Drawing, one: &Happening, columns: &Columns, y: f64, labelled: &mut Option<u64>) {
    match &one.what {
        What::Sends { message, from, to, name, brief, .. }
            if labelled.replace(*message) != Some(*message) =>
        {
            let (Some(x), Some(towards)) = (columns.x(*from), to.first().and_then(|to| columns.x(*to)))
            else {
                return;
            };
            let (class, x) = if towards > x { ("label", x + 9.0) } else { ("label left", x - 9.0) };
            body.text(class, [x, y - 2.0], format!("{name} {brief}").trim_end());
        }
        What::Trouble { number, whom, kind } => {
            let number = number.map_or_else(String::new, |number| format!(" {number}"));
            pill(body, "trouble", columns.x(*whom), y, &format!("trouble{number}: {kind}"));
        }
        What::Healed => pill(body, "well", columns.x(Party::Server(0)), y, "faults stop"),
        What::Serves { server, .. } => pill(body, "serves", columns.x(Party::Server(*server)), y, "starts"),
        What::Ends { server, how } => {
            pill(body, "down", columns.x(Party::Server(*server)), y, &format!("ends: {how}"));
        }
        What::Stands { server, .. } => {
            pill(body, "down", columns.x(Party::Server(*server)), y, "stands still");
        }
        What::Silent { from, until } => {
            let text = format!("nothing gets through until {}", Clocked(*until));
            pill(body, "trouble", columns.x(Party::Server(*from)), y, &text);
        }
        What::State { server, state } => {
            pill(body, class_of(Condition::In(*state)), columns.x(Party::Server(*server)), y, state.name());
        }
        What::Holds { client, address, until, how } => {
            let Some(x) = columns.addresses.get(address) else { return };
            let until =
                if *until == u64::MAX { "for ever".to_owned() } else { format!("until {}", Clocked(*until)) };
            dot(body, *x, y, &format!("client {client} uses {address} {until} ({how})"));
        }
        What::LetsGo { client, address, why } => {
            let Some(x) = columns.addresses.get(address) else { return };
            dot(body, *x, y, &format!("client {client} lets go of {address} ({why})"));
        }
        _ => {}
    }
}

fn dot(body: &mut Drawing, x: f64, y: f64, title: &str) {
    body.add(format_args!(
        "<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"2.5\"><title>{}</title></circle>",
        At(x),
        At(y),
        Escaped(title)
    ));
}

/// A label in a box on a life line.
fn pill(body: &mut Drawing, class: &str, x: Option<f64>, y: f64, text: &str) {
    let Some(x) = x else { return };
    let letters = u32::try_from(text.chars().count()).unwrap_or(0);
    let width = 6.9 * f64::from(letters) + 12.0;
    body.add(format_args!(
        "<rect class=\"pill {class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"14\" rx=\"3\"/>",
        At(x - width / 2.0),
        At(y - 8.5),
        At(width)
    ));
    body.text(&format!("pill-name on-{class}"), [x, y + 2.0], text);
}

/// What was violated; how much room it took.
fn foot(body: &mut Drawing, text: &str, columns: &Columns, top: f64) -> f64 {
    body.line("violation", [0.0, top, columns.width, top]);
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| line.len() + word.len() > LINE) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.extend([word, " "]);
        }
    }
    let mut y = top + FOOT;
    for line in &lines {
        body.text("violated", [12.0, y], line.trim_end());
        y += 17.0;
    }
    y - top
}
