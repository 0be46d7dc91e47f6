//! What comes out of a source that is a database server: probes and captures, whole ones and broken ones.

use std::collections::BTreeMap;

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{CaptureReport, CaptureSink, Connector, ProbeReport},
    domain::{
        entry::{Captured, FileEnd, Problem},
        job::JobError,
    },
};

use super::{eventually::SOON, ssh_place::Place};

/// What came out of a capture.
#[derive(Debug, Default)]
pub struct Stored {
    /// Content of each file that ended well, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    pub problems: Vec<Problem>,
    /// A file that was begun and did not end well.
    pub broken: bool,
}

impl Stored {
    pub fn text(&self, path: &str) -> String {
        let file = self
            .files
            .get(path)
            .unwrap_or_else(|| panic!("no {path} in {:?}", self.files.keys()));
        String::from_utf8(file.clone()).unwrap()
    }

    pub fn record(&self, database: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(&format!("databases/{database}.json"))).unwrap()
    }
}

/// Captures a source; nothing may be left of it on the worker.
pub async fn capture(connector: impl Connector, place: &Place) -> (Stored, Result<CaptureReport, JobError>) {
    let (sink, items) = CaptureSink::channel();
    let (stored, result) = tokio::join!(store(items), connector.capture(sink, CancellationToken::new()));
    assert_eq!(place.left_behind(), 0);
    (stored, result)
}

/// A capture that must succeed.
pub async fn captured(connector: impl Connector, place: &Place) -> (Stored, CaptureReport) {
    let (stored, result) = capture(connector, place).await;
    let report = result.unwrap_or_else(|error| panic!("{error}"));
    assert!(!stored.broken);
    (stored, report)
}

/// The error of a capture that must fail before anything is dumped, with one clear sentence and a hint.
pub async fn refused(connector: impl Connector, place: &Place) -> JobError {
    let (stored, result) = capture(connector, place).await;
    let error = result.expect_err("it must fail");
    assert!(!error.hint.is_empty() && !error.message.contains('\n'), "{error:?}");
    assert!(stored.files.is_empty(), "{:?}", stored.files.keys());
    error
}

pub async fn probed(connector: impl Connector, place: &Place) -> Result<ProbeReport, JobError> {
    let result = connector.probe(CancellationToken::new()).await;
    assert_eq!(place.left_behind(), 0);
    result
}

async fn store(mut items: mpsc::Receiver<Captured>) -> Stored {
    let mut stored = Stored::default();
    let mut open: Option<(String, Vec<u8>)> = None;
    while let Some(item) = items.recv().await {
        match item {
            Captured::Stream(path) => open = Some((path.to_string(), Vec::new())),
            Captured::Data(data) => open.as_mut().expect("a file").1.extend_from_slice(&data),
            Captured::End(FileEnd::Complete) => stored.files.extend(open.take()),
            Captured::Problem(problem) => stored.problems.push(problem),
            other => panic!("{other:?}"),
        }
    }
    stored.broken = open.is_some();
    stored
}

/// A dump far larger than all buffers on its way, held at its beginning.
pub struct Held {
    pub cancel: CancellationToken,
    items: mpsc::Receiver<Captured>,
    capture: JoinHandle<Result<CaptureReport, JobError>>,
}

impl Held {
    /// Begins a capture and waits until the first dump has begun.
    pub async fn begin(capture: impl Connector + 'static) -> Self {
        Self::begin_at(capture, "").await
    }

    /// Begins a capture and waits until the dump at this path has begun; what comes before it is let through.
    pub async fn begin_at(capture: impl Connector + 'static, path: &str) -> Self {
        let (sink, mut items) = CaptureSink::channel();
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let capture = tokio::spawn(async move { capture.capture(sink, token).await });
        let begun = async {
            let mut here = path.is_empty();
            loop {
                match items.recv().await.expect("the dump begins") {
                    Captured::Stream(begun) => here = path.is_empty() || begun.to_string() == path,
                    Captured::Data(_) if here => break,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(SOON, begun).await.unwrap();
        Self { cancel, items, capture }
    }

    /// Lets it go on to its end, which must be a good one.
    pub async fn succeeds(mut self) {
        while self.items.recv().await.is_some() {}
        self.capture.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Lets it go on to its end, which must be a failure; the dump must not count as whole.
    pub async fn fails(mut self) -> JobError {
        while let Some(item) = self.items.recv().await {
            assert!(
                !matches!(item, Captured::End(FileEnd::Complete)),
                "a broken dump counts as whole"
            );
        }
        self.capture.await.unwrap().expect_err("it must fail")
    }
}
