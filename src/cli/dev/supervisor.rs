//! Keeps one child process running until told to stop.

use std::{
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::Child,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Wait before the first restart; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A child that ran this long is healthy: its next crash counts as the first.
const HEALTHY: Duration = Duration::from_secs(60);
/// Exit code of a process that was started with wrong settings: starting it again cannot help.
const MISCONFIGURED: i32 = 2;

/// Makes the command for a start; runs before each one.
pub type MakeCommand = Box<dyn FnMut() -> anyhow::Result<Command> + Send + Sync>;

/// A child to keep running.
pub struct Supervised {
    /// What people call it.
    pub name: &'static str,
    /// Asks it to stop.
    pub stop_signal: Signal,
    /// How long it may take to stop before it is killed.
    pub patience: Duration,
    /// Makes its command.
    pub command: MakeCommand,
}

impl Supervised {
    /// Runs it, again after each crash, until `stop` fires; then stops it. An error only if it cannot
    /// run at all.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let mut child = self.spawn()?;
            let started = Instant::now();
            let ended = tokio::select! {
                ended = child.wait() => ended.with_context(|| format!("cannot wait for the {}", self.name))?,
                () = stop.cancelled() => return self.stop(child).await,
            };
            if ended.code() == Some(MISCONFIGURED) {
                bail!("the {} refuses its settings (see above)", self.name);
            }
            if started.elapsed() >= HEALTHY {
                pause = FIRST_PAUSE;
            }
            self.say_restart(ended, pause);
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Spawns on the calling thread, which must live as long as the child; so all this runs on a
    /// current-thread runtime.
    fn spawn(&mut self) -> anyhow::Result<Child> {
        let mut command = tokio::process::Command::from((self.command)()?);
        command.kill_on_drop(true);
        command
            .spawn()
            .with_context(|| format!("cannot start the {}", self.name))
    }

    fn say_restart(&self, ended: ExitStatus, pause: Duration) {
        let seconds = pause.as_secs_f32();
        eprintln!(
            "xvault dev: the {} ended ({ended}); starting it again in {seconds} s",
            self.name
        );
    }

    async fn stop(&self, mut child: Child) -> anyhow::Result<()> {
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // Fails only if it has ended meanwhile.
            let _ = kill_process(pid, self.stop_signal);
        }
        if timeout(self.patience, child.wait()).await.is_err() {
            eprintln!("xvault dev: the {} does not stop, killing it", self.name);
            child.kill().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn shell(script: &'static str, starts: &Arc<AtomicUsize>) -> Supervised {
        let starts = Arc::clone(starts);
        Supervised {
            name: "child",
            stop_signal: Signal::TERM,
            patience: Duration::from_secs(30),
            command: Box::new(move || {
                starts.fetch_add(1, Ordering::SeqCst);
                let mut command = Command::new("sh");
                command.args(["-c", script]);
                Ok(command)
            }),
        }
    }

    #[tokio::test]
    async fn a_crashed_child_is_started_again_and_a_stopped_one_is_not() {
        let starts = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let child = tokio::spawn(shell("kill -9 $$", &starts).run(stop.clone()));
        while starts.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        child.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_child_that_refuses_its_settings_is_not_started_again() {
        let starts = Arc::new(AtomicUsize::new(0));
        let run = shell("exit 2", &starts).run(CancellationToken::new()).await;
        assert!(run.is_err());
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    }
}
