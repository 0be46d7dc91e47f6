//! Settings: the sheet that opens backups without xVault.

use askama::Template;
use axum::{http::header, response::IntoResponse};
use secrecy::ExposeSecret;

use super::{
    filters,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::hub::actions::recovery_sheet;

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage {
    shell: Shell,
}

/// `GET /settings/recovery`
pub async fn show(visit: Visit) -> Answer {
    visit.page(&RecoveryPage {
        shell: visit.shell(Section::Recovery),
    })
}

/// `POST /settings/recovery`: the sheet as a file.
pub async fn download(Post { visit, .. }: Post) -> Answer {
    let sheet = recovery_sheet::create(&visit.hub, &visit.actor).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            r#"attachment; filename="xvault-recovery-sheet.txt""#,
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, sheet.expose_secret().to_owned()).into_response())
}
