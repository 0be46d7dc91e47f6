//! One directory being listed, ahead of need.

use std::{collections::VecDeque, sync::Arc};

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    client::SftpClient,
    error::SftpError,
    replies::{Name, Pending},
};

/// `READDIR`s on their way for one directory. Two are what a small directory takes: its names and the end.
const AHEAD: usize = 2;
/// The same once a directory has turned out not to be small.
const AHEAD_IN_LARGE: usize = 6;
/// Replies held for a directory whose turn has not come.
const BATCHES: usize = 2;

/// A listing in progress. Dropping it abandons the directory.
#[derive(Debug)]
pub struct Listing {
    batches: mpsc::Receiver<Result<Vec<Name>, SftpError>>,
    _task: JoinSet<()>,
}

impl Listing {
    /// Begins to list a directory.
    pub fn start(client: &Arc<SftpClient>, path: Vec<u8>) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES);
        let client = Arc::clone(client);
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = list(&client, &path, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { batches, _task: task }
    }

    /// The next names; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<Name>, SftpError>> {
        self.batches.recv().await
    }
}

async fn list(
    client: &SftpClient,
    path: &[u8],
    batches: &mpsc::Sender<Result<Vec<Name>, SftpError>>,
) -> Result<(), SftpError> {
    let handle = client.open_dir(path).await?.handle().await?;
    let result = read_all(client, &handle, batches).await;
    client.close(&handle).await?;
    result
}

async fn read_all(
    client: &SftpClient,
    handle: &[u8],
    batches: &mpsc::Sender<Result<Vec<Name>, SftpError>>,
) -> Result<(), SftpError> {
    let mut asked: VecDeque<Pending> = VecDeque::new();
    let mut ahead = AHEAD;
    loop {
        while asked.len() < ahead {
            asked.push_back(client.read_dir(handle).await?);
        }
        let Some(next) = asked.pop_front() else { return Ok(()) };
        let Some(names) = next.names().await? else {
            return Ok(());
        };
        ahead = AHEAD_IN_LARGE;
        // A closed channel: nobody wants the rest.
        if batches.send(Ok(names)).await.is_err() {
            return Ok(());
        }
    }
}
