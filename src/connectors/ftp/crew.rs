//! The workers of one capture, each with a connection of its own.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    connection::Connection,
    dial::Dialer,
    error::FtpError,
    patience::Patience,
    tasks::{Task, Tasks},
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Starts `workers` of them. The first has a connection; each other makes one when it has something to do, and
/// leaves its work to the rest if the server does not want it.
pub fn start(dialer: &Arc<Dialer>, tasks: &Arc<Tasks>, workers: usize, connection: Connection) -> JoinSet<()> {
    let mut crew = JoinSet::new();
    let mut connection = Some(connection);
    for _ in 0..workers {
        let worker = Worker {
            dialer: Arc::clone(dialer),
            tasks: Arc::clone(tasks),
            connection: connection.take(),
            wanted: false,
        };
        crew.spawn(worker.work());
    }
    crew
}

struct Worker {
    dialer: Arc<Dialer>,
    tasks: Arc<Tasks>,
    connection: Option<Connection>,
    /// The server has let this worker in before.
    wanted: bool,
}

impl Worker {
    async fn work(mut self) {
        self.wanted = self.connection.is_some();
        while let Some(task) = self.tasks.next().await {
            if !self.see_through(task).await {
                return;
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Does a task, over as many connections as it takes. `false` if it was left to others.
    async fn see_through(&mut self, mut task: Task) -> bool {
        let mut patience = Patience::default();
        loop {
            let before = task.progress();
            let error = match self.connect().await {
                Ok(mut connection) => match task.run(&mut connection).await {
                    Ok(in_step) => {
                        self.connection = in_step.then_some(connection);
                        self.tasks.done();
                        return true;
                    }
                    Err(error) if error.is_of_connection() => error,
                    Err(error) => return self.give_up(task, error).await,
                },
                // The server has enough of us, or lets only those in that it knows.
                Err(error) if !self.wanted || error.code == ErrorCode::SourceBusy => {
                    match self.tasks.resign(task) {
                        Ok(()) => return false,
                        Err(own) => task = own,
                    }
                    error.into()
                }
                Err(error) => error.into(),
            };
            if matches!(&error, FtpError::Stopped(error) if !error.code.is_transient()) {
                return self.give_up(task, error).await;
            }
            if task.progress() > before {
                patience.restore();
            }
            if !patience.wait().await {
                return self.give_up(task, error).await;
            }
        }
    }

    /// The connection, or a new one.
    async fn connect(&mut self) -> Result<Connection, JobError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.dialer.connect().await?,
        };
        self.wanted = true;
        Ok(connection)
    }

    async fn give_up(&mut self, mut task: Task, error: FtpError) -> bool {
        task.fail(error).await;
        self.tasks.done();
        true
    }
}
