//! Whole sites: stored, restored and compared.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use super::stage::{Blog, CORE, wordpress};

#[tokio::test(flavor = "multi_thread")]
async fn a_site_comes_back_as_it_was_and_runs() {
    let blog = Blog::start();
    let root = blog.home.join("www");
    let copied = Command::new("cp").args(["-a", CORE]).arg(&root).status().unwrap();
    assert!(copied.success());
    fs::write(
        root.join("wp-config.php"),
        blog.config(&format!("localhost:{}", blog.server.socket().display())),
    )
    .unwrap();
    let said = wordpress(
        &root,
        "$up = wp_upload_bits('pâté ü.txt', null, 'uploaded'); echo $up['error'] ?: $up['file'];",
    );
    assert!(Path::new(&said).is_file(), "{said}");
    let before = blog.everything("blog");

    let found = blog.probed(&root).await;
    assert!(found.authenticated && found.site_fault.is_none(), "{found:?}");
    let site = found.site.unwrap();
    assert_eq!(site.home.as_deref(), Some("https://blog.example.com"));
    assert_eq!(
        (site.database.as_str(), site.table_prefix.as_str(), site.sites),
        ("blog", "wp_", 1)
    );
    assert!(
        site.wordpress
            .is_some_and(|version| version.starts_with(char::is_numeric))
    );
    assert!(found.document_roots.is_empty() || found.document_roots.iter().all(|root| root.starts_with('/')));
    assert_eq!(found.databases[0].tables, Some(12));

    let (stored, report) = blog.captured(&root).await;
    assert_eq!(report.transport, "ssh-tar+mysql-on-host");
    let facts = stored.site();
    assert_eq!(facts["database"], "blog");
    assert_eq!(facts["multisite"], json!(false));
    assert_eq!(facts["document_root"], json!(root.canonicalize().unwrap()));
    assert_eq!(json!(report.site), facts);
    assert!(
        facts["apart_seconds"].as_u64().unwrap() < 60
            && facts["files_from"].as_str() > facts["database_as_of"].as_str()
    );
    assert_eq!(stored.told(), "");

    let copy = blog.home.join("copy");
    stored.restore(&copy);
    blog.server
        .sql("create database blog2 character set utf8mb4; grant all privileges on blog2.* to site@'%'");
    blog.server.sql_in("blog2", &stored.text("databases/blog.sql"));
    assert_eq!(before, blog.everything("blog2"));
    let copied = copy.join(root.strip_prefix("/").unwrap());
    let differences = Command::new("diff").arg("-r").args([&root, &copied]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&differences.stdout), "");
    let config = fs::read_to_string(copied.join("wp-config.php")).unwrap();
    fs::write(copied.join("wp-config.php"), config.replace("'blog'", "'blog2'")).unwrap();
    let said = wordpress(
        &copied,
        "echo get_option('blogname'), '|', get_posts()[0]->post_title, '|', strlen(get_posts()[0]->post_content);",
    );
    assert_eq!(said, "Blög 🎉|It's 🎉  \"q\"|12000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_stored_with_what_it_shares_and_without_the_tables_of_others() {
    let blog = Blog::start();
    for table in [
        "wp_2_posts",
        "wp_blogs",
        "wp_site",
        "people",
        "forum_posts",
        "forum_users",
    ] {
        blog.server.sql_in(
            "blog",
            &format!("create table {table} (id int primary key) engine=innodb; insert into {table} values (1)"),
        );
    }
    blog.server.sql_in(
        "blog",
        "insert into wp_blogs values (2); create view wp_recent as select id from wp_2_posts; \
         create view wp_mixed as select f.id from forum_posts f; create view forum_view as select 1 as x;\n\
         delimiter //\ncreate procedure forum_job() begin select 1; end//\n",
    );
    let config = blog.config(&blog.tcp()).replace(
        "$table_prefix",
        "define('MULTISITE', true); define('CUSTOM_USER_TABLE', 'people');\n$table_prefix",
    );
    let root = blog.site("www", &config);
    let (stored, report) = blog.captured(&root).await;
    let site = report.site.unwrap();
    assert!(site.facts.multisite);
    assert_eq!(site.facts.sites, 2);
    assert_eq!(site.facts.other_tables, ["forum_posts", "forum_users", "forum_view"]);
    assert!(
        stored.told().contains("left out: forum_posts, forum_users, forum_view"),
        "{}",
        stored.told()
    );
    let dump = stored.text("databases/blog.sql");
    for table in ["wp_posts", "wp_2_posts", "wp_blogs", "wp_site", "people"] {
        assert!(dump.contains(&format!("CREATE TABLE `{table}`")), "{table}");
    }
    assert!(!dump.contains("forum"), "tables of others");
    // A view on a table that is not there could not be loaded.
    blog.server.sql("create database copy");
    blog.server.sql_in("copy", &dump);
    assert_eq!(blog.server.sql_in("copy", "select * from wp_recent"), "1\n");
    let record = stored.text("databases/blog.json");
    assert!(
        record.contains("wp_mixed") && !record.contains("forum_view"),
        "{record}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_few_rights_dumps_what_it_may_and_the_rest_is_told() {
    let blog = Blog::start();
    blog.server.sql_in("blog", "create view wp_v as select 1 as x");
    blog.server.sql(
        "revoke all privileges on `blog`.* from site@'%'; grant select, insert, update, delete on `blog`.* to site@'%'",
    );
    let root = blog.site("www", &blog.config(&blog.tcp()));
    let found = blog.probed(&root).await;
    assert_eq!(
        found.missing_grants,
        ["GRANT SHOW VIEW, TRIGGER, EVENT ON `blog`.* TO 'site'@'%';"]
    );
    let (stored, report) = blog.captured(&root).await;
    assert!(
        stored
            .told()
            .contains("may not read the definition of these views: wp_v"),
        "{}",
        stored.told()
    );
    assert!(
        report.not_carried.iter().any(|sentence| sentence.contains("TRIGGER")),
        "{report:?}"
    );
    blog.server.sql("create database copy");
    blog.server.sql_in("copy", &stored.text("databases/blog.sql"));
    assert_eq!(blog.server.sql_in("copy", "select count(*) from wp_users"), "1\n");
}
