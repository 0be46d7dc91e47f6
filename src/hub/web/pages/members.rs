//! Settings: who belongs to the tenant.

use askama::Template;

use super::{
    error::sentence,
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    form::Form,
    id::Id,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{ids::UserId, user::Role},
    hub::{
        actions::{
            ActionError, ListQuery,
            members::{self, MemberPatch, NewMember},
        },
        views::MemberView,
    },
};

/// Members shown.
const SHOWN: i64 = 200;

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage {
    shell: Shell,
    members: Vec<MemberView>,
    roles: &'static [Role],
    /// A link to send on, shown once.
    invitation: Option<String>,
    invited: String,
    problem: Option<String>,
    email: String,
    chosen_role: Role,
    errors: FieldErrors,
}

impl MembersPage {
    async fn new(visit: &Visit) -> Result<Self, ActionError> {
        let members = members::list(&visit.hub, &visit.actor, &ListQuery::first(SHOWN)).await?;
        Ok(Self {
            shell: visit.shell(Section::Members),
            members: members.items,
            roles: Role::ALL,
            invitation: None,
            invited: String::new(),
            problem: None,
            email: String::new(),
            chosen_role: Role::Operator,
            errors: FieldErrors::default(),
        })
    }
}

/// `GET /settings/members`
pub async fn list(visit: Visit) -> Answer {
    visit.page(&MembersPage::new(&visit).await?)
}

fn role(form: &Form) -> Result<Role, ActionError> {
    form.text("role")
        .parse()
        .map_err(|detail: String| ActionError::invalid("/role", detail))
}

/// `POST /settings/members`. The invitation link is shown in the answer itself: it must not be kept anywhere.
pub async fn add(Post { visit, form }: Post) -> Answer {
    let email = form.text("email").trim().to_owned();
    let added = match role(&form) {
        Ok(role) => {
            let new = NewMember {
                email: email.clone(),
                role,
                password: None,
            };
            members::create(&visit.hub, &visit.actor, new).await
        }
        Err(error) => Err(error),
    };
    let page = match added {
        Ok(created) if created.invitation_url.is_none() => {
            return visit.go_saying("/settings/members", Flash::MemberAdded);
        }
        Ok(created) => MembersPage {
            invitation: created.invitation_url,
            invited: created.member.email,
            ..MembersPage::new(&visit).await?
        },
        Err(error) => {
            let errors = match error {
                ActionError::Invalid(faults) => faults.into(),
                ActionError::Conflict(detail) => {
                    FieldErrors::from(vec![crate::domain::field_error::FieldError::new("/email", detail)])
                }
                other => return Err(other.into()),
            };
            let page = MembersPage {
                email,
                chosen_role: role(&form).unwrap_or(Role::Operator),
                errors,
                ..MembersPage::new(&visit).await?
            };
            return visit.invalid(&page);
        }
    };
    visit.page(&page)
}

/// `POST /settings/members/{id}/role`
pub async fn set_role(Id(id): Id<UserId>, Post { visit, form }: Post) -> Answer {
    let changed = match role(&form) {
        Ok(role) => members::update(&visit.hub, &visit.actor, &id, MemberPatch { role })
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    after(&visit, changed, Flash::RoleChanged).await
}

/// `POST /settings/members/{id}/remove`
pub async fn remove(Id(id): Id<UserId>, Post { visit, .. }: Post) -> Answer {
    let removed = members::delete(&visit.hub, &visit.actor, &id).await;
    after(&visit, removed, Flash::MemberRemoved).await
}

/// Back to the list; "the last owner stays" is said above it.
async fn after(visit: &Visit, done: Result<(), ActionError>, said: Flash) -> Answer {
    match done {
        Ok(()) => visit.go_saying("/settings/members", said),
        Err(error @ ActionError::Conflict(_)) => {
            let page = MembersPage {
                problem: Some(sentence(&error)),
                ..MembersPage::new(visit).await?
            };
            visit.invalid(&page)
        }
        Err(other) => Err(other.into()),
    }
}
