//! The description of the API. Paths come from the handlers; what all of them share is added here.

use utoipa::{
    OpenApi as _,
    openapi::{
        Content, OpenApi, Ref, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    domain::server_restore::{RestoreAction, RestoreCount, RestoreLine, RestoreReport},
    hub::{Hub, web::problem::Problem},
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "xVault",
        description = "Agentless, encrypted backups. Times are RFC 3339 in UTC, sizes are bytes, ids are opaque. \
                       Lists are newest first. Somebody else's id answers 404. Errors are RFC 9457 problem documents."
    ),
    components(schemas(Problem, RestoreReport, RestoreAction, RestoreCount, RestoreLine)),
    security(("bearer" = []))
)]
struct Frame;

/// What the routes are merged into.
pub(super) fn frame() -> OpenApiRouter<Hub> {
    OpenApiRouter::with_openapi(Frame::openapi())
}

/// Adds what every call shares: how to sign in, the form of errors, `Idempotency-Key`.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token from /api/v1/auth/login, or an API key (`xvk_…`)"))
        .build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    for item in api.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ]
        .into_iter()
        .flatten()
        {
            name_apart(operation);
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let answer = ResponseBuilder::new()
                .description("Why the request was not carried out")
                .content("application/problem+json", problem);
            operation
                .responses
                .responses
                .insert("default".into(), answer.build().into());
        }
        // Calls before signing in have an empty `security` of their own and take no key.
        if let Some(post) = item.post.as_mut().filter(|post| post.security.is_none()) {
            takes_idempotency_key(post);
        }
    }
    api
}

/// Handlers of different nouns share names; the description wants each call named once.
fn name_apart(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().map(|tag| tag.replace(' ', "_"));
    if let (Some(tag), Some(name)) = (tag, operation.operation_id.as_mut()) {
        *name = format!("{tag}_{name}");
    }
}

fn takes_idempotency_key(post: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same key and body within 24 hours give the same answer; the request is carried out once",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .max_length(Some(255))
                .build(),
        ))
        .build();
    post.parameters.get_or_insert_default().push(key.into());
}
