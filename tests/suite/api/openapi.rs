//! The description: complete, consistent, and true where that can be asked.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::World;

/// Every call of the contract that this version has.
const CONTRACT: &[&str] = &[
    "post /api/v1/auth/login",
    "post /api/v1/auth/refresh",
    "post /api/v1/auth/logout",
    "get /api/v1/me",
    "get /api/v1/api-keys",
    "post /api/v1/api-keys",
    "delete /api/v1/api-keys/{id}",
    "get /api/v1/sources",
    "post /api/v1/sources",
    "get /api/v1/sources/{id}",
    "patch /api/v1/sources/{id}",
    "delete /api/v1/sources/{id}",
    "post /api/v1/sources/{id}/probe",
    "put /api/v1/sources/{id}/identity",
    "post /api/v1/sources/{id}/backups",
    "get /api/v1/jobs",
    "get /api/v1/jobs/{id}",
    "get /api/v1/jobs/{id}/events",
    "post /api/v1/jobs/{id}/cancel",
    "post /api/v1/jobs/{id}/restore",
    "post /api/v1/snapshots/{id}/restores",
    "post /api/v1/snapshots/{id}/restores-to-source",
    "get /api/v1/snapshots",
    "get /api/v1/snapshots/{id}",
    "get /api/v1/snapshots/{id}/files",
    "patch /api/v1/snapshots/{id}",
    "post /api/v1/snapshots/{id}/verify",
    "delete /api/v1/snapshots/{id}",
    "post /api/v1/tenant/recovery-sheet",
    "get /api/v1/members",
    "post /api/v1/members",
    "patch /api/v1/members/{id}",
    "delete /api/v1/members/{id}",
    "post /api/v1/invitations/accept",
    "get /api/v1/admin/tenants",
    "post /api/v1/admin/tenants",
    "get /api/v1/workers",
    "get /api/v1/workers/{id}",
    "post /api/v1/workers/{id}/drain",
    "post /api/v1/workers/{id}/undrain",
    "post /api/v1/workers/{id}/retire",
    "get /api/v1/alerts",
];

fn operations(api: &Value) -> Vec<(String, &Value)> {
    let paths = api["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference);
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_description_has_the_whole_contract_and_no_loose_ends() {
    let world = World::new().await;
    let api = world.hub.anonymous().get("/api/openapi.json").await.expect(200);
    assert_eq!(api["openapi"], "3.1.0");
    let operations = operations(&api);
    let described: BTreeSet<&str> = operations.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(described, CONTRACT.iter().copied().collect());

    let names: BTreeSet<&str> = operations
        .iter()
        .filter_map(|(_, operation)| operation["operationId"].as_str())
        .collect();
    assert_eq!(names.len(), operations.len(), "each operation has a name of its own");
    let mut used = Vec::new();
    references(&api, &mut used);
    for reference in used {
        assert!(api.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for (call, operation) in &operations {
        assert!(operation["responses"]["default"].is_object(), "{call}");
        assert!(operation["summary"].is_string(), "{call}");
    }
}

#[tokio::test]
async fn answers_have_the_fields_that_are_described_and_no_others() {
    let world = World::new().await;
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let api = world.hub.anonymous().get("/api/openapi.json").await.expect(200);
    let answers = [
        ("SourceView", format!("sources/{source}")),
        ("SnapshotView", format!("snapshots/{}", stored.id)),
        ("JobView", format!("jobs/{}", stored.job)),
        ("MeView", "me".to_owned()),
        ("List_SourceView", "sources".to_owned()),
        ("List_WorkerView", "workers".to_owned()),
        ("List_MemberView", "members".to_owned()),
    ];
    for (schema, path) in answers {
        let answer = world.admin.get(&format!("/api/v1/{path}")).await.expect(200);
        let described = &api["components"]["schemas"][schema];
        let fields = described["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{schema} is not described"));
        for name in answer.as_object().unwrap().keys() {
            assert!(fields.contains_key(name), "{schema} has the undescribed field {name}");
        }
        for name in described["required"].as_array().unwrap() {
            assert!(answer.get(name.as_str().unwrap()).is_some(), "{schema} lacks {name}");
        }
    }
}
