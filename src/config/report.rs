//! Turns clap's complaint about a value into our one line.

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::ConfigError;

/// The one line for a missing or wrong setting; `None` for everything else clap has to say (help,
/// an unknown command or flag), which it says best itself.
pub fn explain(error: &clap::Error, command: &Command) -> Option<ConfigError> {
    let flag = match (error.kind(), error.get(ContextKind::InvalidArg)?) {
        (ErrorKind::ValueValidation | ErrorKind::InvalidValue, ContextValue::String(flag)) => flag,
        (ErrorKind::MissingRequiredArgument, ContextValue::Strings(flags)) => flags.first()?,
        _ => return None,
    };
    let variable = find(command, flag.split(' ').next()?.trim_start_matches('-'))?
        .get_env()?
        .to_string_lossy()
        .into_owned();
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Some(ConfigError::missing(&variable));
    }
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) if !value.is_empty() => format!("{value:?} "),
        _ => String::new(),
    };
    let problem = std::error::Error::source(error).map_or_else(|| "is not valid".to_owned(), ToString::to_string);
    Some(match value.is_empty() {
        true => ConfigError::new(variable, "is empty"),
        false => ConfigError::new(variable, format!("= {value}{problem}")),
    })
}

fn find<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
        .or_else(|| command.get_subcommands().find_map(|inner| find(inner, long)))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::{HubArgs, LogArgs, VARIABLES, WorkerArgs};
    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        log: LogArgs,
        #[command(subcommand)]
        command: Role,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Role {
        Hub(HubArgs),
        Worker(Box<WorkerArgs>),
    }

    fn line(args: &[&str]) -> String {
        let error = Cli::try_parse_from(args).unwrap_err();
        explain(&error, &Cli::command()).unwrap().to_string()
    }

    #[test]
    fn a_wrong_value_is_one_line_with_variable_problem_and_example() {
        assert_eq!(
            line(&["xvault", "hub", "--hub-listen", "localhost"]),
            "XVAULT_HUB_LISTEN = \"localhost\" is not an IP address with a port; example: XVAULT_HUB_LISTEN=127.0.0.1:8080"
        );
        assert_eq!(
            line(&["xvault", "--log-format", "xml", "hub"]),
            "XVAULT_LOG_FORMAT = \"xml\" is neither text nor json; example: XVAULT_LOG_FORMAT=json"
        );
        assert_eq!(
            line(&["xvault", "worker"]),
            "XVAULT_HUB_URL is not set; example: XVAULT_HUB_URL=https://backups.example.com"
        );
    }

    #[test]
    fn a_list_names_the_member_that_is_wrong() {
        assert_eq!(
            line(&[
                "xvault",
                "worker",
                "--hub-url",
                "http://h",
                "--egress-allow",
                "10.0.0.0/8,ten"
            ]),
            "XVAULT_EGRESS_ALLOW = \"ten\" is not a network in CIDR form; example: XVAULT_EGRESS_ALLOW=10.0.0.0/8,fd00::/8"
        );
    }

    #[test]
    fn flags_and_variables_bear_the_same_name_and_stand_in_the_table() {
        let cli = Cli::command();
        let args = cli
            .get_subcommands()
            .flat_map(Command::get_arguments)
            .chain(cli.get_arguments())
            // Hidden ones are for the test suite only.
            .filter(|arg| !arg.is_hide_set());
        for (long, env) in args.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?.to_str()?))) {
            assert_eq!(env, format!("XVAULT_{}", long.to_uppercase().replace('-', "_")));
            assert!(
                VARIABLES.iter().any(|known| known.name == env && !known.secret),
                "{env}"
            );
        }
    }

    #[test]
    fn examples_are_accepted() {
        for known in VARIABLES.iter().filter(|known| !known.secret) {
            let flag = format!("--{}", known.name["XVAULT_".len()..].to_lowercase().replace('_', "-"));
            let hub = Cli::try_parse_from(["xvault", "hub", &flag, known.example]);
            let worker = Cli::try_parse_from(["xvault", "worker", "--hub-url", "http://h", &flag, known.example]);
            let again = |error: &clap::Error| error.kind() == ErrorKind::ArgumentConflict;
            assert!(
                hub.is_ok() || worker.as_ref().map_or_else(again, |_| true),
                "{}",
                known.name
            );
        }
    }
}
