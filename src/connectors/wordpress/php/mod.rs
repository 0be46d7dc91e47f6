//! Works out what a PHP configuration file says without running it.
//!
//! A file is cut into tokens (`token`, `text`), made into statements and expressions (`parse`, `syntax`) and walked
//! through (`machine`, `evaluate`) as PHP would, as far as that is certain. Whatever is not certain has no value but a
//! reason ([`Why`]), which goes along into everything that depends on it. Nothing here guesses, reads a file or
//! talks to a server: what it lacks it asks for ([`Answer::wants`]), and its caller begins anew with that.

mod call;
mod dotenv;
mod evaluate;
mod functions;
mod machine;
mod operators;
mod parse;
mod parse_expression;
mod syntax;
mod text;
mod token;
mod url;
mod value;

pub use dotenv::read as read_dotenv;
pub use machine::{Answer, Known, Seen, Wants, work_out};
pub use value::{Value, Why};
