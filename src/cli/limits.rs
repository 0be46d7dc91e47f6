//! `xvault admin limits`: how many jobs may run at once. Kept in the database, so every worker obeys at once.

use std::{fmt::Write, str::FromStr};

use anyhow::bail;
use clap::Args;
use sqlx::PgConnection;

use crate::{db::limits, domain::ids::TenantId};

/// Limits to set; without any, those that hold are shown.
#[derive(Debug, Clone, Args)]
pub struct LimitsArgs {
    /// Backups and probes of one tenant at once: a number, or `none`
    #[arg(long, value_name = "N")]
    per_tenant: Option<Most>,
    /// Backups and probes at one server (host and port) at once: a number, or `none`
    #[arg(long, value_name = "N")]
    per_host: Option<Most>,
    /// The tenant that `--jobs` is for
    #[arg(long, value_name = "ID", requires = "jobs")]
    tenant: Option<TenantId>,
    /// What this one tenant may run at once: a number, or `default` for what all others may
    #[arg(long, value_name = "N", requires = "tenant")]
    jobs: Option<Most>,
}

/// A limit, or none.
#[derive(Debug, Clone, Copy)]
struct Most(Option<i32>);

impl FromStr for Most {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" | "default" => Ok(Self(None)),
            _ => match text.parse() {
                Ok(number @ 1..) => Ok(Self(Some(number))),
                _ => Err("is not a whole number above 0, `none` or `default`".to_owned()),
            },
        }
    }
}

/// Sets what was asked for; answers with the limits that hold then.
pub(super) async fn change(conn: &mut PgConnection, args: &LimitsArgs) -> anyhow::Result<String> {
    let mut now = limits::get(conn).await?;
    if let Some(Most(most)) = args.per_tenant {
        now.jobs_per_tenant = most;
    }
    if let Some(Most(most)) = args.per_host {
        now.jobs_per_host = most;
    }
    limits::set(conn, &now).await?;
    if let (Some(tenant), Some(Most(jobs))) = (&args.tenant, args.jobs)
        && !limits::set_for_tenant(conn, tenant, jobs).await?
    {
        bail!("there is no tenant {tenant}; nothing was changed");
    }
    let shown = |most: Option<i32>| most.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let mut text = format!(
        "per tenant: {}\nper host: {}",
        shown(now.jobs_per_tenant),
        shown(now.jobs_per_host)
    );
    for (tenant, jobs) in limits::of_tenants(conn).await? {
        write!(text, "\n{tenant}: {jobs}")?;
    }
    Ok(text)
}
