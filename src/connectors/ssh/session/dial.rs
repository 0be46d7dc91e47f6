//! Getting to a hop: each of its addresses, each kind of host key, each credential, in that order.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use super::{
    classify::{self, Cause},
    hop::{Hop, Login},
    host_key::{FAMILIES, HostKeyCheck, Trust, is_of_family},
    master::{Attempt, Master, Route},
    reached::{NotReached, Presented, Reached},
};
use crate::{
    connectors::{open::ConnectorContext, private_dir::PrivateDir},
    domain::{error_code::ErrorCode, job::JobError},
};

/// Makes connections inside one session directory.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    ctx: ConnectorContext,
    dir: Arc<PrivateDir>,
}

impl Dialer {
    /// Makes the private directory for one session.
    pub(crate) fn new(ctx: &ConnectorContext) -> Result<Self, JobError> {
        let dir = PrivateDir::create(&ctx.tmp_dir).map_err(|error| local(&ctx.tmp_dir, &error))?;
        Ok(Self {
            ctx: ctx.clone(),
            dir: Arc::new(dir),
        })
    }

    /// Connects to `hop`, through `jump` if there is one, and logs in.
    pub(crate) async fn dial(&self, hop: &Hop, jump: Option<&Reached>, trust: &Trust) -> Result<Reached, NotReached> {
        self.dial_families(hop, jump, trust, FAMILIES).await
    }

    /// The host key of one family that `hop` presents; `None` if it has none. Sends no credential.
    pub(crate) async fn ask_host_key(
        &self,
        hop: &Hop,
        jump: Option<&Reached>,
        family: &[&str],
    ) -> Result<Option<Presented>, JobError> {
        match self.dial_families(hop, jump, &Trust::Nobody, &[family]).await {
            Err(NotReached::HostKey(presented)) => Ok(Some(presented)),
            Err(NotReached::NoHostKey(_)) => Ok(None),
            Err(NotReached::Failed(error)) => Err(error),
            Ok(reached) => {
                reached.close().await;
                Ok(None)
            }
        }
    }

    async fn dial_families(
        &self,
        hop: &Hop,
        jump: Option<&Reached>,
        trust: &Trust,
        families: &[&[&str]],
    ) -> Result<Reached, NotReached> {
        let addresses = self
            .ctx
            .egress
            .resolve(&hop.host, hop.port)
            .await
            .map_err(NotReached::Failed)?;
        let mut last = None;
        for address in addresses {
            match self.dial_address(hop, address, jump, trust, families).await {
                // Another address of the same host may still answer.
                Err(NotReached::Failed(error)) if may_differ_elsewhere(error.code) => last = Some(error),
                other => return other,
            }
        }
        // `resolve` gives at least one address.
        Err(NotReached::Failed(last.unwrap_or_else(|| {
            JobError::new(ErrorCode::DnsFailed, format!("{hop} has no address"), "")
        })))
    }

    async fn dial_address(
        &self,
        hop: &Hop,
        address: IpAddr,
        jump: Option<&Reached>,
        trust: &Trust,
        families: &[&[&str]],
    ) -> Result<Reached, NotReached> {
        let (place, check) = self.prepare(hop, trust).map_err(NotReached::Failed)?;
        let mut families = families.to_vec();
        let mut preferred: Option<Presented> = None;
        // A password is for approved hosts only, whatever else is accepted.
        let may_send = |login: &&Login| *trust != Trust::Anyone || matches!(login, Login::Key(_));
        let mut logins = hop.logins.iter().filter(may_send);
        let route = match jump {
            None => Route::Direct(address),
            Some(jump) => Route::Through(jump.master.ctl().to_owned(), address),
        };
        let mut login = logins.next();
        while let Some(with) = login {
            check.reset();
            let attempt = Attempt {
                hop,
                login: with,
                route: route.clone(),
                algorithms: families.concat().join(","),
                known_hosts: check.command(),
                ctl: place.join("ctl"),
                askpass: &self.ctx.askpass,
            };
            let refused_before = jump.map_or(0, |jump| jump.refused_forwardings().len());
            let mut failure = match Master::start(&attempt, Arc::clone(&self.dir)).await {
                Ok(master) => return Ok(Reached { master }),
                Err(failure) => failure,
            };
            if let Some(jump) = jump {
                failure
                    .said
                    .extend(jump.refused_forwarding(&failure.said, refused_before).await);
            }
            let presented = check.presented();
            match classify::cause(hop, with, &failure, presented) {
                Cause::HostKey(key) => {
                    // The approved key may be another of this host's: offer to see those as well.
                    families.retain(|family| !is_of_family(&key.algorithm, family));
                    let server = classify::server_version(&failure.said);
                    let first = preferred.get_or_insert(Presented { key, server });
                    if families.is_empty() || !matches!(trust, Trust::Pinned(_)) {
                        return Err(NotReached::HostKey(first.clone()));
                    }
                }
                Cause::NoHostKey(error) => {
                    return Err(match preferred {
                        Some(presented) => NotReached::HostKey(presented),
                        None => NotReached::NoHostKey(error),
                    });
                }
                Cause::Login(error) => {
                    login = logins.next();
                    if login.is_none() {
                        return Err(NotReached::Failed(error));
                    }
                }
                Cause::Other(error) => return Err(NotReached::Failed(error)),
            }
        }
        Err(NotReached::Failed(JobError::new(
            ErrorCode::AuthFailed,
            format!("there are no credentials for {hop}"),
            "Set the credentials of the source.",
        )))
    }

    /// The hop's own place in the session directory.
    fn prepare(&self, hop: &Hop, trust: &Trust) -> Result<(PathBuf, HostKeyCheck), JobError> {
        let place = self.dir.path().join(if hop.is_jump { "j" } else { "t" });
        let check = std::fs::create_dir_all(&place).and_then(|()| HostKeyCheck::write(&place, trust));
        match check {
            Ok(check) => Ok((place, check)),
            Err(error) => Err(local(&place, &error)),
        }
    }
}

fn may_differ_elsewhere(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ConnectFailed | ErrorCode::ForwardingForbidden | ErrorCode::SourceBusy
    )
}

fn local(path: &std::path::Path, error: &std::io::Error) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("the worker could not write {}: {error}", path.display()),
        "Check the worker's temporary directory (XVAULT_TMP_DIR).",
    )
}
