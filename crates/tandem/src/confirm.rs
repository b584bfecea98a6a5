//! What only people know is asked of them.
//!
//! *Lives here:* [`confirm`].
//! *Must not know:* what is commanded then.

use crate::exit::{Code, Stop};
use std::io::{BufRead, IsTerminal};

/// What must be true is said and asked, unless it was said on the command line.
pub(crate) fn confirm(text: &str, yes: bool, flag: &str) -> Result<(), Stop> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let text =
            format!("{text}\n\nerror: nobody can be asked here: say {flag} if it is so; nothing was done");
        return Err(Stop::Because(Code::Usage, text));
    }
    eprint!("{text} (yes/no) ");
    let mut answer = String::new();
    // Without an answer it is no.
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Stop::Because(Code::Failed, "nothing was done".to_owned()))
}
