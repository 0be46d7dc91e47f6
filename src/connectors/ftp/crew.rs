//! The workers of one capture, each with a connection of its own.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    connection::Connection,
    dial::Dialer,
    patience::Patience,
    tasks::{Task, Tasks},
};
use crate::domain::job::JobError;

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
            let error = match self.connected().await {
                Err(error) if !self.wanted || error.code == crate::domain::error_code::ErrorCode::SourceBusy => {
                    match self.tasks.resign(task) {
                        Ok(()) => return false,
                        Err(own) => task = own,
                    }
                    self.wanted = true;
                    if !error.code.is_transient() {
                        return self.give_up(task, error.into()).await;
                    }
                    error.into()
                }
                Err(error) if !error.code.is_transient() => return self.give_up(task, error.into()).await,
                Err(error) => error.into(),
                Ok(connection) => match task.run(connection).await {
                    Ok(in_step) => {
                        if !in_step {
                            self.connection = None;
                        }
                        self.tasks.done();
                        return true;
                    }
                    Err(error) => {
                        self.connection = None;
                        if !error.is_of_connection() {
                            return self.give_up(task, error).await;
                        }
                        error
                    }
                },
            };
            if task.progress() > before {
                patience.restore();
            }
            if !patience.wait().await {
                return self.give_up(task, error).await;
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut Connection, JobError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.dialer.connect().await?,
        };
        self.wanted = true;
        Ok(self.connection.insert(connection))
    }

    async fn give_up(&mut self, mut task: Task, error: super::error::FtpError) -> bool {
        task.fail(error).await;
        self.tasks.done();
        true
    }
}
