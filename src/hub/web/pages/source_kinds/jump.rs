//! The jump host of kinds that are reached over SSH, as fields of a form.

use super::{login, port, trimmed};
use crate::{
    domain::{
        field_error::FieldError,
        source::{JumpConfig, Machine},
    },
    hub::web::pages::form::Form,
};

/// The jump host that a form names, if it names one.
pub(super) fn read(form: &Form, faults: &mut Vec<FieldError>) -> Option<JumpConfig> {
    let host = trimmed(form, "jump_host");
    (!host.is_empty()).then(|| JumpConfig {
        host,
        port: port(form, "jump_port", "/config/jump/port", faults),
        user: trimmed(form, "jump_user"),
    })
}

/// What the fields hold.
pub(super) fn fields(jump: Option<&JumpConfig>) -> Vec<(&'static str, String)> {
    match jump {
        None => vec![("jump_port", "22".to_owned())],
        Some(jump) => vec![
            ("jump_host", jump.host.clone()),
            ("jump_port", jump.port.to_string()),
            ("jump_user", jump.user.clone()),
        ],
    }
}

/// For reading.
pub(super) fn fact(jump: Option<&JumpConfig>) -> Vec<String> {
    let name = |jump: &JumpConfig| {
        let machine = Machine {
            host: &jump.host,
            port: jump.port,
        };
        login(&jump.user, machine, 22)
    };
    jump.map(name).into_iter().collect()
}
