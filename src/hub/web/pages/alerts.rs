//! What is wrong just now, and the banner that leads there from every other page.

use askama::Template;

use super::{
    filters,
    shell::{Section, Shell},
    visit::{Answer, Visit},
};
use crate::hub::views::{AlertView, Severity};

/// Where the banner leads.
pub const PATH: &str = "/alerts";

/// The most important alert in one line.
#[derive(Debug, Clone)]
pub struct Banner {
    /// CSS class.
    pub tone: &'static str,
    /// Drawing beside it.
    pub icon: &'static str,
    /// The sentence.
    pub message: String,
    /// How many more there are.
    pub more: usize,
}

impl Banner {
    /// None on the page of alerts itself, and for what is only good to know.
    pub fn of(alerts: &[AlertView], path: &str) -> Option<Self> {
        let serious: Vec<&AlertView> = alerts.iter().filter(|alert| alert.severity > Severity::Info).collect();
        let first = serious.first().filter(|_| path != PATH)?;
        Some(Self {
            tone: first.tone(),
            icon: first.icon(),
            message: first.message.clone(),
            more: serious.len() - 1,
        })
    }
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    shell: Shell,
    alerts: Vec<AlertView>,
}

/// `GET /alerts`
pub async fn show(visit: Visit) -> Answer {
    visit.page(&AlertsPage {
        shell: visit.shell(Section::Alerts),
        alerts: visit.alerts.clone(),
    })
}
