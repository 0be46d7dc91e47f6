//! Starting a program on the source, over SSH.
//!
//! The command line that the source's users can see holds nothing: it reads one line from its standard
//! input and runs that. The program, its arguments and its secrets stand in that line.
//!
//! Closing a connection ends no process at its other end. So while a program runs that reads nothing from
//! us, standard input stays open as a leash: when it ends, so does the program.

use secrecy::{ExposeSecret, zeroize::Zeroizing};
use tokio::io::AsyncWriteExt;

use super::{
    Program, Stdin, Value,
    running::{Input, Process, Running, Streams},
};
use crate::{
    connectors::ssh::session::{SshSession, quote},
    domain::{error_code::ErrorCode, job::JobError},
};

/// Reads byte by byte, so that everything after the line is left to the program.
const READ_AND_RUN: &str = "IFS= read -r x && eval \"$x\"";

/// Runs what stands before it with file 3 as a leash, and ends as that does.
const ON_A_LEASH: &str = "3<&- & p=$!; \
    { read -r x; kill -s TERM $p; sleep 5; kill -s KILL $p; } <&3 3<&- >/dev/null 2>&1 & w=$!; \
    exec 3<&-; wait $p; c=$?; exec 2>/dev/null; kill -s KILL $w; exit $c";

pub(super) async fn start(program: &Program, session: &SshSession, stdin: Stdin) -> Result<Running, JobError> {
    let line = line(program, &stdin)?;
    let mut child = session.exec(READ_AND_RUN).await?;
    let (Some(mut input), output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(session.interruption());
    };
    if input.write_all(line.as_bytes()).await.is_err() {
        return Err(session.interruption());
    }
    let (input, leash): (Option<Input>, _) = match stdin {
        Stdin::Piped => (Some(Box::pin(input)), None),
        Stdin::Empty | Stdin::Text(_) => (None, Some(input)),
    };
    let streams = Streams {
        input,
        output: output.map(|output| Box::pin(output) as _),
        said: said.map(|said| Box::pin(said) as _),
    };
    let process = Process::Remote {
        child: Box::new(child),
        _leash: leash,
    };
    Ok(Running::new(program.name(), session.place(), process, streams))
}

/// What the source's shell is to run, as one line.
fn line(program: &Program, stdin: &Stdin) -> Result<Zeroizing<String>, JobError> {
    // Command substitution drops line breaks at the end, hence the x.
    let mut line = Zeroizing::new("N=$(printf '\\nx'); N=${N%x}; LC_ALL=C; export LC_ALL; ".to_owned());
    for (name, value) in &program.env {
        line.push_str(&format!("{name}={}; export {name}; ", *word(value)?));
    }
    match stdin {
        Stdin::Piped => line.push_str("exec "),
        Stdin::Empty => line.push_str("exec 3<&0; "),
        Stdin::Text(text) => line.push_str(&format!("exec 3<&0; printf %s {} | ", *one_line(text))),
    }
    line.push_str(&one_line(&program.name));
    for arg in &program.args {
        line.push(' ');
        line.push_str(&word(arg)?);
    }
    match stdin {
        Stdin::Piped => {}
        Stdin::Empty => line.push_str(&format!(" </dev/null {ON_A_LEASH}")),
        Stdin::Text(_) => line.push_str(&format!(" {ON_A_LEASH}")),
    }
    line.push('\n');
    Ok(line)
}

fn word(value: &Value) -> Result<Zeroizing<String>, JobError> {
    match value {
        Value::Plain(text) => Ok(one_line(text)),
        Value::Secret(secret) => Ok(one_line(secret.expose_secret())),
        Value::File(..) => Err(JobError::new(
            ErrorCode::Internal,
            "a program on a source was to read a secret from a file",
            "this is a fault in xVault; please report it",
        )),
    }
}

/// `text` as one word that has no line break in it.
fn one_line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(quote(text).replace('\n', "'\"$N\"'"))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        process::{Command, Stdio as Pipe},
    };

    use super::*;

    /// Runs a line as the source would, with every shell there is; gives what it printed and its code.
    fn said(program: &Program, stdin: Stdin, input: Option<&str>) -> (String, Option<i32>) {
        let line = line(program, &stdin).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let mut answers = ["dash", "bash"].map(|shell| {
            let mut child = Command::new(shell)
                .args(["-c", READ_AND_RUN])
                .stdin(Pipe::piped())
                .stdout(Pipe::piped())
                .spawn()
                .unwrap();
            let mut to = child.stdin.take().unwrap();
            to.write_all(line.as_bytes()).unwrap();
            to.write_all(input.unwrap_or_default().as_bytes()).unwrap();
            let leash = input.is_none().then_some(to);
            let mut text = String::new();
            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            let status = child.wait().unwrap();
            drop(leash);
            (text, status.code())
        });
        assert_eq!(answers[0], answers[1]);
        std::mem::take(&mut answers[0])
    }

    #[test]
    fn words_and_secrets_arrive_as_they_are() {
        let hard = "it's $HOME `id` \\n \"q\" !x\nsecond line\n";
        let program = Program::new("sh")
            .args(["-c", "printf '%s|' \"$S\" \"$1\"; exit 7", "sh"])
            .arg(hard)
            .secret_env("S", hard.to_owned().into());
        for stdin in [Stdin::Empty, Stdin::Piped, Stdin::Text("unread".into())] {
            assert_eq!(said(&program, stdin, None), (format!("{hard}|{hard}|"), Some(7)));
        }
    }

    #[test]
    fn each_kind_of_input_is_what_the_program_reads() {
        let cat = Program::new("cat");
        assert_eq!(said(&cat, Stdin::Empty, None), (String::new(), Some(0)));
        let text = "select 'a%sb\\n';\n";
        assert_eq!(said(&cat, Stdin::Text(text.into()), None), (text.to_owned(), Some(0)));
        assert_eq!(said(&cat, Stdin::Piped, Some("data\n")), ("data\n".to_owned(), Some(0)));
    }

    #[test]
    fn the_program_ends_with_its_leash() {
        let script = "trap 'echo asked to end; exit 3' TERM; echo up; while :; do sleep 0.1; done";
        let line = line(&Program::new("sh").args(["-c", script]), &Stdin::Empty).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", READ_AND_RUN])
            .stdin(Pipe::piped())
            .stdout(Pipe::piped())
            .spawn()
            .unwrap();
        let mut leash = child.stdin.take().unwrap();
        leash.write_all(line.as_bytes()).unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(output.next().unwrap().unwrap(), "up");
        drop(leash);
        assert_eq!(output.next().unwrap().unwrap(), "asked to end");
        assert!(output.next().is_none());
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
}
