//! Asks the PHP of the site's server what its configuration says, where only running it can tell.
//!
//! Running a site's code could change something: a configuration may write a log, warm a cache, call a service. So it
//! runs in a PHP that can only read: all files are opened through a wrapper that refuses to write and stops at
//! `wp-settings.php`, before WordPress itself begins; other wrappers are taken away, so are programs, mail, sockets and
//! extensions (`-n`). `wp config get` gives no more and has no such bars, so it is not used.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    locate::Located,
    php::{Value, Why},
    remote::Remote,
    settings::NEEDED,
};
use crate::{
    connectors::program::{Limits, Program, Stdin},
    domain::job::JobError,
};

const LIMITS: Limits = Limits {
    bytes: 512 * 1024,
    time: Duration::from_secs(30),
};

const SCRIPT: &str = include_str!("ask.php");

/// What acts on anything but files.
const WITHOUT: &str = "disable_functions=exec,passthru,shell_exec,system,proc_open,popen,pcntl_exec,pcntl_fork,\
    posix_kill,mail,mb_send_mail,error_log,syslog,fsockopen,pfsockopen,stream_socket_client,stream_socket_server,\
    stream_socket_pair,socket_create,curl_init,curl_multi_init,mysqli_init,mysqli_connect,mysqli_real_connect,pg_connect,dl,\
    symlink,link,tempnam,tmpfile,session_start,ini_set,ini_alter,set_time_limit,shmop_open,sem_get,msg_get_queue";

/// The values of what a backup needs; `Err` if PHP cannot say: with a reason, if it is another one than before.
pub(super) async fn ask(
    remote: &Remote<'_>,
    located: &Located,
    seen: &[String],
) -> Result<Result<BTreeMap<String, Value>, Option<Why>>, JobError> {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let program = Program::new("php")
        .args([
            "-n",
            "-d",
            WITHOUT,
            "-d",
            "disable_classes=PDO,mysqli,SQLite3,Phar,PharData,SoapClient",
        ])
        .args([
            "-d",
            "memory_limit=64M",
            "-d",
            "max_execution_time=10",
            "-d",
            "display_errors=0",
            "-d",
            "log_errors=0",
        ])
        .args(["--", &nonce, &located.config, &located.root])
        .arg(located.abspath.as_deref().unwrap_or_default())
        .arg(NEEDED.join(","));
    let said = remote.run(&program, Stdin::Text(SCRIPT.to_owned()), LIMITS).await?;
    Ok(read(&String::from_utf8_lossy(&said), &nonce, seen))
}

fn read(said: &str, nonce: &str, seen: &[String]) -> Result<BTreeMap<String, Value>, Option<Why>> {
    // Not there, too old, or ended by an error.
    let (_, answer) = said.rsplit_once(&format!("\n{nonce}\n")).ok_or(None)?;
    let answer = answer.split_once(&format!("\n{nonce}.")).ok_or(None)?.0;
    let mut values = BTreeMap::new();
    for line in answer.lines() {
        let (name, text) = line.split_once(' ').ok_or(None)?;
        let text = STANDARD.decode(text).map_err(|_| None)?;
        // A file that was not seen before, and that asks the environment: its answer is the login's, not the site's.
        if name == "environment" {
            let file = String::from_utf8_lossy(&text).into_owned();
            if !seen.contains(&file) {
                return Err(Some(Why::Environment(format!("{file}, which reads the environment"))));
            }
            continue;
        }
        values.insert(name.to_owned(), Value::Text(text));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let answer = |text: &str| read(text, "n1", &["/seen.php".into()]);
        let told = answer("noise\nn1\nDB_NAME c2hvcA==\nenvironment L3NlZW4ucGhw\n\nn1.").unwrap();
        assert_eq!(
            told.into_iter().collect::<Vec<_>>(),
            [("DB_NAME".to_owned(), Value::from("shop"))]
        );
        assert_eq!(answer("\nn1\nDB_NAME c2hvcA==\n"), Err(None));
        assert_eq!(answer("sh: php: not found"), Err(None));
        assert!(matches!(
            answer("\nn1\nenvironment L290aGVyLnBocA==\n\nn1."),
            Err(Some(Why::Environment(_)))
        ));
    }
}
