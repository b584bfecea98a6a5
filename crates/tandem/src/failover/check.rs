//! `tandem failover check`.
//!
//! *Lives here:* what was found, for people and as JSON, and the exit code that it makes.
//! *Must not know:* what must agree: crate `config` knows.

use super::live;
use crate::args::PairCheckArguments;
use crate::exit::{Code, Stop};
use crate::output::{Output, Tone};
use crate::table::some;
use config::Severity;
use config::pair::{self, Comparison, Finding};
use serde::Serialize;

/// All of it, as JSON.
#[derive(Serialize)]
struct Found<'f> {
    /// What runs here, and there: `Tandem`, `dhcpd`.
    ours: String,
    partner: String,
    /// The relationships that were compared.
    relationships: Vec<&'f str>,
    errors: usize,
    warnings: usize,
    findings: Vec<Said<'f>>,
}

#[derive(Serialize)]
struct Said<'f> {
    /// `PAIR-202`: docs/failover-check.md.
    number: String,
    severity: &'static str,
    title: &'static str,
    message: &'f str,
    places: Vec<At<'f>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'f str>,
}

#[derive(Serialize)]
struct At<'f> {
    file: &'f str,
    line: usize,
    column: usize,
    text: &'f str,
    label: &'f str,
}

/// Compares, looks, prints.
pub(super) fn run(arguments: &PairCheckArguments, output: &mut Output) -> Result<Code, Stop> {
    let compared = pair::compare(&arguments.ours, &arguments.partner);
    let mut comparison =
        compared.map_err(|report| Stop::Because(Code::Configuration, report.render(output.color())))?;
    if arguments.live {
        let seen = live::look(&comparison);
        comparison.add(seen);
    }
    let of =
        |severity| comparison.findings.iter().filter(|finding| finding.rule.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if arguments.json {
        output.json(&found(&comparison, errors, warnings))?;
    } else {
        for finding in &comparison.findings {
            output.line(&finding.render(output.color()))?;
            output.line("")?;
        }
        sum_up(&comparison, errors, warnings, output)?;
        if !arguments.live {
            output.line("This host was not looked at: --live does, on the host of this server.")?;
        }
    }
    Ok(if errors == 0 { Code::Ok } else { Code::Configuration })
}

fn sum_up(comparison: &Comparison, errors: usize, warnings: usize, output: &mut Output) -> Result<(), Stop> {
    let [ours, partner] = comparison.kinds;
    let names: Vec<String> =
        comparison.meetings.iter().map(|meeting| format!("\"{}\"", meeting.name.escape_debug())).collect();
    let shared = if names.is_empty() { "nothing that is shared".to_owned() } else { names.join(", ") };
    let text =
        format!("{ours} and {partner}, {shared}: {}, {}", some(errors, "error"), some(warnings, "warning"));
    let tone = match (errors, warnings) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Warning,
        _ => Tone::Bad,
    };
    output.line(&output.toned(tone, &text))
}

fn found(comparison: &Comparison, errors: usize, warnings: usize) -> Found<'_> {
    let [ours, partner] = comparison.kinds.map(|kind| kind.to_string());
    let relationships = comparison.meetings.iter().map(|meeting| meeting.name.as_str()).collect();
    let findings = comparison.findings.iter().map(said).collect();
    Found { ours, partner, relationships, errors, warnings, findings }
}

fn said(finding: &Finding) -> Said<'_> {
    let severity = match finding.rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Remark => "remark",
    };
    let places = finding.places.iter().map(|place| {
        let (line, column) = place.spot.position();
        let file = place.spot.source.name.as_str();
        At { file, line, column, text: place.spot.line(), label: place.label.as_str() }
    });
    Said {
        number: finding.rule.name(),
        severity,
        title: finding.rule.title,
        message: &finding.message,
        places: places.collect(),
        about: finding.about.as_deref(),
    }
}
