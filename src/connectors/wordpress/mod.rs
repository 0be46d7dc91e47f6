//! WordPress sites: their files and their database as one restore point, over SSH and with nothing installed.
//!
//! `settings` finds out what `wp-config.php` says (the language is `php`'s affair), `database` dumps what belongs to
//! the site with the login that the configuration names, `places` tells which directories make the site. The
//! database comes first: a row whose file was not there yet is worse than a file that no row mentions yet.
//! What a site says is input: it is neither run nor obeyed, and every answer is bounded.

mod address;
mod ask_php;
mod capture;
mod connector;
mod database;
mod faults;
mod locate;
pub mod php;
mod places;
mod probe;
mod remote;
mod search;
mod settings;
mod tables;

pub use connector::{WordpressConnector, WordpressSource};
