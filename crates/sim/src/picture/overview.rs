//! The whole run on one axis: states, troubles, leases.
//!
//! *Lives here:* [`draw`]; which sort of trouble has which mark.
//! *Must not know:* messages.

use super::svg::{At, Drawing, Escaped, Until, class_of, class_of_client, name_of};
use super::track::{Mark, Tracks};
use super::{Chapter, Subject};
use crate::history::Party;
use crate::report::Clocked;

const LEFT: f64 = 120.0;
const WIDTH: f64 = 1060.0;
const RIGHT: f64 = 20.0;
const BAND: f64 = 20.0;
const BAR: f64 = 8.0;
const BAR_STEP: f64 = 12.0;

/// What is too short to be seen is this wide.
const THIN: f64 = 0.8;

/// Sorts of troubles with their classes.
pub(super) const SORTS: [(&str, &str); 5] = [
    ("crash", "a process or machine ends, or a store is lost"),
    ("disk", "a disk fails"),
    ("time", "a process or clock stands still or jumps"),
    ("network", "a network fails"),
    ("people", "somebody gives a command"),
];

fn sort_of(kind: &str) -> &'static str {
    match kind.split(' ').next().unwrap_or_default() {
        "SyncFails" | "WriteFails" | "DiskFull" | "SlowSync" | "Stall" | "Sync" => "disk",
        "Pause" | "Freeze" | "WallStep" => "time",
        "Cut" | "OneWay" | "Slow" | "Reset" | "Storm" | "Notice" | "Connect" => "network",
        "Stop" | "Shutdown" | "RollingRestart" | "Resync" | "PartnerDown" | "ServeAlone"
        | "WrongPartnerDown" | "Alone" | "Recover" | "Restart" => "people",
        _ => "crash",
    }
}

/// A number of milliseconds as a coordinate: what is lost of it nobody sees.
#[allow(clippy::cast_precision_loss, reason = "runs are shorter than 2^53 milliseconds")]
pub(super) fn number(millis: u64) -> f64 {
    millis as f64
}

struct Axis {
    begin: u64,
    end: u64,
}

impl Axis {
    fn x(&self, at: u64) -> f64 {
        let lasts = (self.end - self.begin).max(1);
        LEFT + WIDTH * number(at.clamp(self.begin, self.end) - self.begin) / number(lasts)
    }

    /// Left edge and width of what lasts.
    fn span(&self, from: u64, to: u64) -> (f64, f64) {
        let from_x = self.x(from);
        (from_x, (self.x(to) - from_x).max(THIN))
    }

    /// Moments with a label, evenly spaced.
    fn ticks(&self) -> impl Iterator<Item = u64> {
        const MINUTE: u64 = 60_000;
        let steps = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 7200, 14_400, 43_200].map(|n| n * MINUTE);
        let second_steps = [1000, 5000, 15_000];
        let all = second_steps.into_iter().chain(steps);
        let step =
            all.into_iter().find(|step| (self.end - self.begin) / step <= 14).unwrap_or(self.end.max(1));
        (self.begin.div_ceil(step)..=self.end / step).map(move |n| n * step)
    }
}

fn label_of(at: u64) -> String {
    let (days, seconds) = (at / 86_400_000, at / 1000);
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let day = if days > 0 { format!("{days}d ") } else { String::new() };
    if seconds > 0 {
        return format!("{day}{hours:02}:{minutes:02}:{seconds:02}");
    }
    format!("{day}{hours:02}:{minutes:02}")
}

/// The drawing.
pub(super) fn draw(subject: &Subject<'_>, tracks: &Tracks, chapters: &[Chapter]) -> String {
    let axis = Axis { begin: tracks.begin, end: subject.end.max(tracks.begin) };
    let mut drawing = Drawing::default();
    let mut y = 30.0;
    let (link, has_clients) = (tracks.is_pair, tracks.marks.iter().any(is_of_client));
    for server in 0..tracks.conditions.len() {
        if server == 1 && link {
            silence(&mut drawing, tracks, &axis, y);
            marks(&mut drawing, tracks, &axis, chapters, y + 13.0, |mark| mark.whom == Party::Pair);
            drawing.text("name", [LEFT - 8.0, y + 23.0], "between them");
            y += 36.0;
        }
        marks(&mut drawing, tracks, &axis, chapters, y, |mark| mark.whom == Party::Server(server));
        y += 14.0;
        bands(&mut drawing, tracks, &axis, server, y);
        y += BAND + 8.0;
    }
    if has_clients {
        marks(&mut drawing, tracks, &axis, chapters, y, is_of_client);
        drawing.text("name", [LEFT - 8.0, y + 10.0], "habits of clients");
        y += 22.0;
    }
    y += 6.0;
    for (address, spans) in &tracks.holds {
        drawing.text("name", [LEFT - 8.0, y + BAR], &address.to_string());
        drawing.line("rule", [LEFT, y + BAR / 2.0, LEFT + WIDTH, y + BAR / 2.0]);
        for span in spans {
            let hold = span.what;
            let title = format!(
                "client {} uses {address} from {} to {}, extended {} times",
                hold.client,
                Clocked(span.from),
                Until(span.to),
                hold.extended
            );
            let (x, width) = axis.span(span.from, hold.given_back.unwrap_or(span.to).min(span.to));
            drawing.rectangle(&format!("lease {}", class_of_client(hold.client)), [x, y, width, BAR], &title);
            if let Some(back) = hold.given_back.filter(|back| *back < span.to) {
                let (x, width) = axis.span(back, span.to);
                let title = format!("{title}; a server heard at {} that it was given back", Clocked(back));
                let class = format!("lease void {}", class_of_client(hold.client));
                drawing.rectangle(&class, [x, y, width, BAR], &title);
            }
        }
        for span in Tracks::shared(spans) {
            let (x, width) = axis.span(span.from, span.to);
            let title =
                format!("two clients use {address} from {} to {}", Clocked(span.from), Until(span.to));
            drawing.rectangle("shared", [x - 1.0, y - 2.0, width + 2.0, BAR + 4.0], &title);
        }
        y += BAR_STEP;
    }
    whole_height(&mut drawing, subject, tracks, &axis, y);
    format!(
        "<svg class=\"overview\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\">\n{}\n{}</svg>",
        grid(&axis, y),
        drawing.0,
        w = At(LEFT + WIDTH + RIGHT),
        h = At(y + 8.0),
    )
}

fn is_of_client(mark: &Mark) -> bool {
    matches!(mark.whom, Party::Client(_))
}

/// How a server is called.
pub(super) fn name_of_server(tracks: &Tracks, server: usize) -> String {
    match (tracks.is_pair, server) {
        (true, 0) => "primary (0)".to_owned(),
        (true, _) => "secondary (1)".to_owned(),
        (false, server) => format!("server {server}"),
    }
}

fn grid(axis: &Axis, bottom: f64) -> String {
    let mut drawing = Drawing::default();
    drawing.text("tick", [LEFT / 2.0, 12.0], "day hh:mm");
    for tick in axis.ticks() {
        let x = axis.x(tick);
        drawing.line("grid", [x, 18.0, x, bottom]);
        drawing.text("tick", [x, 12.0], &label_of(tick));
    }
    drawing.0
}

fn bands(drawing: &mut Drawing, tracks: &Tracks, axis: &Axis, server: usize, y: f64) {
    drawing.text("name", [LEFT - 8.0, y + 14.0], &name_of_server(tracks, server));
    for span in tracks.conditions[server].iter().filter(|span| span.from < span.to) {
        let (x, width) = axis.span(span.from, span.to);
        let title = format!("{} from {} to {}", name_of(span.what), Clocked(span.from), Clocked(span.to));
        drawing.rectangle(&format!("band {}", class_of(span.what)), [x, y, width, BAND], &title);
    }
    for span in &tracks.stands[server] {
        let (x, width) = axis.span(span.from, span.to);
        let title = format!("stands still from {} to {}", Clocked(span.from), Clocked(span.to));
        drawing.rectangle("stands", [x, y, width, BAND], &title);
    }
}

fn silence(drawing: &mut Drawing, tracks: &Tracks, axis: &Axis, y: f64) {
    for (from, spans) in tracks.silent.iter().enumerate() {
        for span in spans {
            let (x, width) = axis.span(span.from, span.to);
            let title = format!(
                "nothing of server {from} gets through to its partner from {} to {}",
                Clocked(span.from),
                Clocked(span.to)
            );
            let y = if from == 0 { y } else { y + 6.0 };
            drawing.rectangle("silent", [x, y, width, 5.0], &title);
        }
    }
}

fn marks(
    drawing: &mut Drawing,
    tracks: &Tracks,
    axis: &Axis,
    chapters: &[Chapter],
    y: f64,
    which: impl Fn(&Mark) -> bool,
) {
    for mark in tracks.marks.iter().filter(|mark| which(mark)) {
        let number = mark.number.map_or_else(String::new, |number| format!(" {number}"));
        let title = format!("{}: trouble{number} of {}: {}", Clocked(mark.at), mark.whom, mark.kind);
        let shape = if is_of_client(mark) {
            format!(
                "<rect class=\"habit\" x=\"{}\" y=\"{}\" width=\"1.5\" height=\"12\">",
                At(axis.x(mark.at)),
                At(y)
            )
        } else {
            let (x, sort) = (axis.x(mark.at), sort_of(&mark.kind));
            format!("<path class=\"mark {sort}\" d=\"M{} {}h10l-5 10z\">", At(x - 5.0), At(y + 2.0))
        };
        let end = if is_of_client(mark) { "</rect>" } else { "</path>" };
        let shape = format!("{shape}<title>{}</title>{end}", Escaped(&title));
        match chapters.iter().position(|chapter| chapter.places.contains(&mark.place)) {
            Some(part) => drawing.add(format_args!("<a href=\"#part-{part}\">{shape}</a>")),
            None => drawing.add(format_args!("{shape}")),
        }
    }
}

/// What concerns everybody: when faults stopped, and when something was violated.
fn whole_height(drawing: &mut Drawing, subject: &Subject<'_>, tracks: &Tracks, axis: &Axis, bottom: f64) {
    if let Some(healed) = tracks.healed {
        let x = axis.x(healed);
        drawing.line("healed", [x, 18.0, x, bottom]);
        drawing.text("healed-name", [x + 4.0, 27.0], "faults stop");
    }
    if let Some(violation) = subject.violation {
        let x = axis.x(violation.at);
        drawing.line("violation", [x, 16.0, x, bottom]);
        drawing.text("violation-name", [x - 5.0, 27.0], &format!("{} violated", violation.checker));
    }
}
