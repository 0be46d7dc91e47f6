//! The frame around every page of somebody who is signed in.

use crate::{
    domain::user::Role,
    hub::views::{MeView, TenantRef, UserRef},
};

use super::{alerts::Banner, flash::Flash};

/// Where in the product a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `/`
    Overview,
    /// `/sources…`
    Sources,
    /// `/jobs…`
    Jobs,
    /// `/snapshots…`
    Snapshots,
    /// `/workers`
    Workers,
    /// `/alerts`
    Alerts,
    /// `/settings/members`
    Members,
    /// `/settings/api-keys`
    ApiKeys,
    /// `/settings/recovery`
    Recovery,
}

/// Who looks, and at what.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The person.
    pub user: UserRef,
    /// The tenant they act in.
    pub tenant: TenantRef,
    /// What they may do there.
    pub role: Role,
    /// Token that each of their forms carries.
    pub csrf: String,
    /// What just happened.
    pub flash: Option<Flash>,
    /// What is wrong just now.
    pub banner: Option<Banner>,
    /// Where they are.
    pub section: Section,
    /// Path without query.
    pub path: String,
}

/// A link of the navigation.
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: &'static str,
    /// Its drawing.
    pub icon: &'static str,
    /// True if the page belongs to it.
    pub current: bool,
    /// True if it is the page.
    pub exact: bool,
}

/// A tab of the settings.
pub struct Tab {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: &'static str,
    /// True if it is the page.
    pub current: bool,
}

impl Shell {
    /// The frame for `me`.
    pub fn new(
        me: MeView,
        csrf: String,
        flash: Option<Flash>,
        banner: Option<Banner>,
        section: Section,
        path: String,
    ) -> Self {
        let MeView { user, tenant, role } = me;
        Self {
            user,
            tenant,
            role,
            csrf,
            flash,
            banner,
            section,
            path,
        }
    }

    /// May change sources, back up and restore.
    pub fn can_operate(&self) -> bool {
        self.role.includes(Role::Operator)
    }

    /// May manage members, keys and the recovery sheet.
    pub fn is_owner(&self) -> bool {
        self.role.includes(Role::Owner)
    }

    /// The main navigation.
    pub fn nav(&self) -> Vec<NavItem> {
        let settings = [Section::Members, Section::ApiKeys, Section::Recovery];
        let settings_start = if self.is_owner() {
            "/settings/members"
        } else {
            "/settings/recovery"
        };
        let all: [(&[Section], &'static str, &'static str, &'static str); 6] = [
            (&[Section::Overview], "/", "Overview", "overview"),
            (&[Section::Sources], "/sources", "Sources", "source"),
            (&[Section::Jobs], "/jobs", "Jobs", "job"),
            (&[Section::Snapshots], "/snapshots", "Snapshots", "snapshot"),
            (&[Section::Workers], "/workers", "Workers", "worker"),
            (&settings, settings_start, "Settings", "settings"),
        ];
        let visible = |item: &&(&[Section], _, _, _)| self.user.platform_admin || !item.0.contains(&Section::Workers);
        let item = |&(sections, href, label, icon): &(&[Section], &'static str, &'static str, &'static str)| NavItem {
            href,
            label,
            icon,
            current: sections.contains(&self.section),
            exact: self.path == href,
        };
        all.iter().filter(visible).map(item).collect()
    }

    /// The tabs of the settings.
    pub fn settings_tabs(&self) -> Vec<Tab> {
        let all = [
            (Section::Members, "/settings/members", "Members", Role::Owner),
            (Section::ApiKeys, "/settings/api-keys", "API keys", Role::Owner),
            (Section::Recovery, "/settings/recovery", "Recovery sheet", Role::Viewer),
        ];
        all.into_iter()
            .filter(|&(_, _, _, wanted)| self.role.includes(wanted))
            .map(|(section, href, label, _)| Tab {
                href,
                label,
                current: section == self.section,
            })
            .collect()
    }
}
