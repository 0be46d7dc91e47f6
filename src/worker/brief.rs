//! Asking the hub for the brief of a job.

use std::time::Duration;

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    db::jobs::Lease,
    domain::{
        brief::{Brief, BriefRequest},
        error_code::ErrorCode,
        job::JobError,
    },
};

/// For one request, until its whole answer: a hub that needs longer has died on us, or the connection has.
const ANSWER: Duration = Duration::from_secs(10);

/// For making a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest brief accepted, in bytes.
const MAX_BRIEF: usize = 2 * 1024 * 1024;

/// The hub, seen from a worker.
pub struct HubClient {
    http: reqwest::Client,
    url: Url,
    token: SecretString,
}

/// What one request came to.
enum Reply {
    Brief(Box<Brief>),
    /// Worth another try: the hub is away or has trouble.
    Away(String),
    Refused(JobError),
}

impl HubClient {
    /// A client of the hub at `url`, which knows this worker by `token`.
    pub fn new(url: Url, token: SecretString) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, url, token })
    }

    /// The brief of the job held under `lease`; keeps asking for `patience` while the hub is away.
    pub async fn brief(&self, lease: &Lease, patience: Duration) -> Result<Brief, JobError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(200);
        loop {
            match self.ask(lease).await {
                Reply::Brief(brief) => return Ok(*brief),
                Reply::Refused(error) => return Err(error),
                Reply::Away(why) if Instant::now() + pause > deadline => {
                    return Err(JobError::new(
                        ErrorCode::Internal,
                        format!("the hub at {} gave no brief for the job: {why}", self.url),
                        "Check that the hub runs and that XVAULT_HUB_URL of the worker is right",
                    ));
                }
                Reply::Away(why) => {
                    tracing::warn!(job = %lease.job_id, hub = %self.url, why, "no brief yet; asking again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    async fn ask(&self, lease: &Lease) -> Reply {
        let request = BriefRequest {
            worker_id: lease.worker_id.clone(),
            lease_id: lease.lease_id,
        };
        let url = match self.url.join(&format!("internal/v1/jobs/{}/secrets", lease.job_id)) {
            Ok(url) => url,
            Err(error) => return Reply::Away(error.to_string()),
        };
        let sent = self
            .http
            .post(url)
            .bearer_auth(self.token.expose_secret())
            .json(&request)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Reply::Away(error.without_url().to_string()),
        };
        match response.status() {
            StatusCode::OK => read(response).await,
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Reply::Away(format!("it answered {status}"))
            }
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Reply::Refused(JobError::new(
                ErrorCode::Internal,
                format!("the hub at {} does not accept this worker's token ({status})", self.url),
                "Make a token with `xvault admin worker-token` and set it as XVAULT_WORKER_TOKEN",
            )),
            status => Reply::Refused(JobError::new(
                ErrorCode::Internal,
                format!("the hub at {} gave no brief for the job ({status})", self.url),
                "Check that hub and worker use the same database and run the same version",
            )),
        }
    }
}

async fn read(mut response: reqwest::Response) -> Reply {
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BRIEF => {
                return Reply::Away(format!("its answer is longer than {MAX_BRIEF} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Reply::Away(error.without_url().to_string()),
        }
    }
    match serde_json::from_slice(&body) {
        Ok(brief) => Reply::Brief(Box::new(brief)),
        // Not the parser's words: they may quote a secret.
        Err(error) => Reply::Away(format!(
            "its answer is no brief (line {}, column {})",
            error.line(),
            error.column()
        )),
    }
}
