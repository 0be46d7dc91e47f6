//! A request of somebody who is signed in, and of somebody who posts a form.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;

use super::{
    alerts::Banner,
    error::PageError,
    flash::{self, Flash},
    form::Form,
    render::{self, Setting},
    session,
    shell::{Section, Shell},
    theme::Theme,
};
use crate::hub::{
    Hub,
    actions::{Actor, alerts, me},
    views::{AlertView, MeView},
};

/// What a handler answers.
pub type Answer = Result<Response, PageError>;

/// Somebody who is signed in looks at something.
pub struct Visit {
    /// The hub.
    pub hub: Hub,
    /// On whose behalf actions are called.
    pub actor: Actor,
    /// Who they are.
    pub me: MeView,
    /// What they should know about the fleet.
    pub alerts: Vec<AlertView>,
    setting: Setting,
    path: String,
    csrf: String,
    flash: Option<Flash>,
}

impl Visit {
    /// The frame of a page in `section`.
    pub fn shell(&self, section: Section) -> Shell {
        Shell::new(
            self.me.clone(),
            self.csrf.clone(),
            self.flash,
            Banner::of(&self.alerts, &self.path),
            section,
            self.path.clone(),
        )
    }

    /// Shows a page.
    pub fn page(&self, template: &impl askama::Template) -> Answer {
        let mut response = render::page(template, &self.setting)?;
        if self.flash.is_some() {
            let gone = session::set_cookie(&self.hub, flash::COOKIE, "", TimeDelta::zero())?;
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
        Ok(response)
    }

    /// Shows a form again, with what is wrong in it.
    pub fn invalid(&self, template: &impl askama::Template) -> Answer {
        let mut response = self.page(template)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    }

    /// Leads on after a form was handled.
    pub fn go(&self, to: &str) -> Answer {
        Ok(Redirect::to(to).into_response())
    }

    /// Leads on, and says what happened on the page it leads to.
    pub fn go_saying(&self, to: &str, flash: Flash) -> Answer {
        let mut response = Redirect::to(to).into_response();
        let cookie = session::set_cookie(&self.hub, flash::COOKIE, flash.code(), TimeDelta::minutes(1))?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
        Ok(response)
    }
}

impl FromRequestParts<Hub> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, PageError> {
        let actor = session::actor(hub, &parts.headers).await?;
        let me = me::get(hub, &actor).await?;
        let alerts = alerts::of(hub, &actor).await?;
        let here = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            csrf: session::csrf_token(hub, &actor).ok_or_else(PageError::forged)?,
            setting: Setting {
                now: hub.clock.now(),
                theme: Theme::of(&parts.headers),
                here: if parts.method.is_safe() { here } else { "/" }.to_owned(),
            },
            path: parts.uri.path().to_owned(),
            flash: Flash::of(&parts.headers),
            hub: hub.clone(),
            actor,
            me,
            alerts,
        })
    }
}

/// Somebody who is signed in sends a form of ours.
pub struct Post {
    /// Who, and where.
    pub visit: Visit,
    /// What they filled in.
    pub form: Form,
}

impl FromRequest<Hub> for Post {
    type Rejection = PageError;

    async fn from_request(request: Request, hub: &Hub) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, hub).await?;
        let form = Form::from_request(Request::from_parts(parts, body), hub).await?;
        if !session::csrf_matches(hub, &visit.actor, form.text("csrf")) {
            return Err(PageError::forged());
        }
        Ok(Self { visit, form })
    }
}
