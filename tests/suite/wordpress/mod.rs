//! Kind `wordpress` against real WordPress, PHP, MariaDB and sshd: what is found, what is stored, what is refused.

mod layouts;
mod php_forms;
mod product;
mod refusals;
mod sites;
pub mod stage;
