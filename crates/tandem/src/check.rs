//! `tandem check`.
//!
//! *Lives here:* the report on the text, then what this host says to it, then a line that sums both up.
//! *Must not know:* what is wrong with a configuration: crate `config` knows.

use crate::args::CheckArguments;
use crate::exit::{Code, Stop};
use crate::host::{self, Finding, Weight};
use crate::output::{Output, Tone};
use crate::table::{count, some};
use config::{Report, ServerConfig, Severity};
use std::path::Path;

/// Checks and prints.
pub(crate) fn run(arguments: &CheckArguments, output: &mut Output) -> Result<Code, Stop> {
    match config::load(&arguments.config) {
        Ok((config, report)) => {
            print(&report, output)?;
            let findings = if arguments.no_host { Vec::new() } else { host::check(&config) };
            for finding in &findings {
                output.line(&shown(finding, output))?;
                output.line("")?;
            }
            output.line(&serves(&config))?;
            sum_up(&arguments.config, &report, &findings, output)
        }
        Err(report) => {
            print(&report, output)?;
            let code = sum_up(&arguments.config, &report, &[], output)?;
            if !arguments.no_host {
                output.line("This host was not looked at: mend the errors first.")?;
            }
            Ok(code)
        }
    }
}

fn print(report: &Report, output: &mut Output) -> Result<(), Stop> {
    if report.diagnostics().is_empty() {
        return Ok(());
    }
    output.line(&report.render(output.color()))?;
    output.line("")
}

/// As the report on the text looks.
fn shown(finding: &Finding, output: &Output) -> String {
    let (word, tone) = match finding.weight {
        Weight::Error => ("error", Tone::Bad),
        Weight::Warning => ("warning", Tone::Warning),
        Weight::Note => ("note", Tone::Good),
    };
    let text = output.toned(Tone::Bold, &format!(": {}", finding.text));
    format!("{}{text}\n --> this host: {}", output.toned(tone, word), finding.at)
}

/// What the configuration amounts to.
fn serves(config: &ServerConfig) -> String {
    let engine = &config.engine;
    let addresses = |first: std::net::Ipv4Addr, last: std::net::Ipv4Addr| {
        u64::from(u32::from(last).saturating_sub(u32::from(first))) + 1
    };
    let sum: u64 = engine.pools().iter().map(|pool| addresses(pool.first, pool.last)).sum();
    format!(
        "on {}: {}, {}, {} with {}, {}",
        config.interfaces.join(", "),
        some(engine.networks().len(), "network"),
        some(engine.subnets().len(), "subnet"),
        some(engine.pools().len(), "pool"),
        if sum == 1 { "1 address".to_owned() } else { format!("{} addresses", count(sum)) },
        some(engine.reservations().len(), "reservation"),
    )
}

fn sum_up(path: &Path, report: &Report, findings: &[Finding], output: &mut Output) -> Result<Code, Stop> {
    let of_text = |severity| report.diagnostics().iter().filter(|said| said.severity == severity).count();
    let of_host = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    let errors = of_text(Severity::Error) + of_host(Weight::Error);
    let warnings = of_text(Severity::Warning) + of_host(Weight::Warning);
    let text = format!("{}: {}, {}", path.display(), some(errors, "error"), some(warnings, "warning"));
    let (tone, code) = match (errors, warnings) {
        (0, 0) => (Tone::Good, Code::Ok),
        (0, _) => (Tone::Warning, Code::Ok),
        _ => (Tone::Bad, Code::Configuration),
    };
    output.line(&output.toned(tone, &text))?;
    Ok(code)
}
