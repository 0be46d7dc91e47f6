//! What `xvault dev` tells people once everything runs.

use std::fmt;

use secrecy::ExposeSecret;

use super::{ports::Choice, state::State, tree::Tree};

/// Everything worth saying.
pub struct Banner<'a> {
    /// Where things are kept.
    pub state: &'a State,
    /// The hub's address.
    pub hub: Choice,
    /// The worker's address.
    pub worker: Choice,
    /// What runs.
    pub tree: &'a Tree,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = self.tree;
        writeln!(f, "\n  xVault is ready\n")?;
        writeln!(f, "  Address   {}", tree.url.trim_end_matches('/'))?;
        writeln!(f, "  E-mail    {}", tree.admin_email)?;
        // Printed once. Later it may have been changed in the browser, and a wrong one misleads.
        match tree.password_is_new {
            true => writeln!(f, "  Password  {}", tree.admin_password.expose_secret())?,
            false => writeln!(
                f,
                "  Password  as on the first start, unless you changed it: {}",
                self.state.secret_file("admin.password").display()
            )?,
        }
        writeln!(f)?;
        for (what, choice) in [("hub", self.hub), ("worker", self.worker)] {
            if let Some(usual) = choice.instead_of {
                writeln!(
                    f,
                    "  Port {usual} is taken: the {what} listens on {} instead.",
                    choice.address.port()
                )?;
            }
        }
        writeln!(
            f,
            "  Everything is kept in {}. Ctrl-C stops it.\n",
            self.state.root().display()
        )
    }
}
