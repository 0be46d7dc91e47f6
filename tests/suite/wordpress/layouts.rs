//! Where sites keep things: configurations one level up, sockets, Bedrock, content elsewhere; and ways to the database.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::stage::{Blog, CORE, PASSWORD};
use crate::support::{
    scratch::temp_dir,
    sshd::{Setup, Sshd},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_one_level_up_counts_unless_another_site_lies_there() {
    let blog = Blog::start();
    let root = blog.core("up/www");
    let config = blog.home.join("up/wp-config.php");
    fs::write(&config, blog.config(&blog.tcp())).unwrap();
    let (stored, report) = blog.captured(&root).await;
    assert!(
        stored.has(&config) && stored.has(&root.join("wp-load.php")),
        "{:?}",
        stored.files.keys()
    );
    assert_eq!(report.site.unwrap().facts.config_file, config.display().to_string());
    assert!(!stored.has(&blog.home.join("up/other")));

    fs::write(blog.home.join("up/wp-settings.php"), "<?php").unwrap();
    let error = blog.refused(&root).await;
    assert_eq!(error.code.as_str(), "config_not_found", "{error}");
    // What is no WordPress takes no configuration from above.
    fs::create_dir(blog.home.join("up/images")).unwrap();
    fs::remove_file(blog.home.join("up/wp-settings.php")).unwrap();
    let error = blog.refused(&blog.home.join("up/images")).await;
    assert_eq!(error.code.as_str(), "config_not_found", "{error}");
}

/// An SSH host on which only these programs are found.
fn with_only(programs: &[&str]) -> Sshd {
    let dir = temp_dir("path").keep();
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for tool in programs {
        let place = ["/bin", "/usr/bin"]
            .iter()
            .map(|place| Path::new(place).join(tool))
            .find(|path| path.exists());
        symlink(place.unwrap(), dir.join(tool)).unwrap();
    }
    Sshd::with(Setup {
        extra: format!("SetEnv PATH={}\n", dir.display()).leak(),
        ..Setup::default()
    })
}

const TOOLS: &[&str] = &["sh", "head", "sleep", "ls", "readlink", "find", "tar", "cat"];

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_ports_work_with_the_hosts_client_and_without_one() {
    for (ssh, transport) in [(Sshd::start(), "mysql-on-host"), (with_only(TOOLS), "mysql-forwarded")] {
        let blog = Blog::on(ssh);
        let socket = blog.server.socket().display().to_string();
        for host in [format!("localhost:{socket}"), format!(":{socket}"), blog.tcp()] {
            let root = blog.site("www", &blog.config(&host));
            let found = blog.probed(&root).await;
            assert!(found.site_fault.is_none(), "{host}: {found:?}");
            let (stored, report) = blog.captured(&root).await;
            assert_eq!(report.transport, format!("ssh-tar+{transport}"));
            assert!(
                stored.text("databases/blog.sql").contains("CREATE TABLE `wp_posts`"),
                "{host}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn localhost_is_the_socket_that_php_takes_by_default() {
    let settings = temp_dir("ini");
    let extra = format!("SetEnv PHP_INI_SCAN_DIR={}\n", settings.path().display());
    fs::set_permissions(settings.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let extensions = fs::read_dir("/etc/php")
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path()
        .join("cli/conf.d");
    let blog = Blog::on(Sshd::with(Setup {
        extra: extra.replace('\n', &format!(":{}\n", extensions.display())).leak(),
        ..Setup::default()
    }));
    let root = blog.site("www", &blog.config("localhost"));
    fs::write(
        settings.path().join("own.ini"),
        format!("mysqli.default_socket={}\n", blog.server.socket().display()),
    )
    .unwrap();
    let (stored, _) = blog.captured(&root).await;
    assert!(stored.text("databases/blog.sql").contains("CREATE TABLE `wp_posts`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bedrock_is_read_from_its_env_file_and_stored_as_the_project_it_is() {
    let blog = Blog::start();
    let project = blog.home.join("bedrock");
    for directory in ["web/wp/wp-includes", "web/app/uploads", "config/environments", "vendor"] {
        fs::create_dir_all(project.join(directory)).unwrap();
    }
    for file in ["wp-load.php", "wp-settings.php", "wp-includes/version.php"] {
        fs::copy(Path::new(CORE).join(file), project.join("web/wp").join(file)).unwrap();
    }
    let password = PASSWORD.replace('\\', r"\\").replace('"', "\\\"").replace('$', "\\$");
    let files = [
        ("web/wp-config.php", WP_CONFIG.to_owned()),
        ("config/application.php", APPLICATION.to_owned()),
        (
            "config/environments/production.php",
            "<?php\nuse Roots\\WPConfig\\Config;\nConfig::define('DISALLOW_INDEXING', true);".to_owned(),
        ),
        (
            "vendor/autoload.php",
            "<?php throw new Exception('not to be run');".to_owned(),
        ),
        ("web/app/uploads/a.txt", "upload".to_owned()),
        (
            ".env",
            format!(
                "DB_NAME='blog'\nDB_USER='site'\nDB_PASSWORD=\"{password}\"\n# Optionally\n# DATABASE_URL='mysql://x'\n\
                 DB_HOST='{}'\nDB_PREFIX='wp_'\n\nWP_ENV='production'\nWP_HOME='http://example.com'\nWP_SITEURL=\"${{WP_HOME}}/wp\"\n",
                blog.tcp()
            ),
        ),
    ];
    for (name, content) in files {
        fs::write(project.join(name), content).unwrap();
    }
    let (stored, report) = blog.captured(&project.join("web")).await;
    let site = report.site.unwrap().facts;
    assert!(!site.asked_php);
    assert_eq!(
        site.config_file,
        project.join("web/wp-config.php").display().to_string()
    );
    for file in [
        ".env",
        "config/application.php",
        "vendor/autoload.php",
        "web/app/uploads/a.txt",
    ] {
        assert!(stored.has(&project.join(file)), "{file}: {:?}", stored.files.keys());
    }

    // The same by one variable, and with a second file on top.
    let url = format!(
        "DATABASE_URL='mysql://site:wrong@127.0.0.1:{}/blog'\nDB_PREFIX=wp_\n",
        blog.server.port
    );
    fs::write(project.join(".env"), url).unwrap();
    let error = blog.refused(&project.join("web")).await;
    assert_eq!(error.code.as_str(), "database_refused", "{error}");
    fs::write(
        project.join(".env.local"),
        format!(
            "DATABASE_URL=\nDB_NAME=blog\nDB_USER=site\nDB_PASSWORD=\"{password}\"\nDB_HOST={}\n",
            blog.tcp()
        ),
    )
    .unwrap();
    assert!(blog.probed(&project.join("web")).await.site_fault.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_and_uploads_that_lie_elsewhere_are_stored_too() {
    let blog = Blog::start();
    let outside = blog.home.join("outside");
    for directory in ["content/plugins", "media/2026", "shared/theme", "month"] {
        fs::create_dir_all(outside.join(directory)).unwrap();
    }
    for file in [
        "content/x.php",
        "media/2026/photo.jpg",
        "shared/theme/style.css",
        "month/b.jpg",
    ] {
        fs::write(outside.join(file), file).unwrap();
    }
    symlink(outside.join("shared/theme"), outside.join("content/plugins/theme")).unwrap();
    symlink(outside.join("media"), outside.join("content/uploads")).unwrap();
    symlink(outside.join("month"), outside.join("media/2026/12")).unwrap();
    symlink("/", outside.join("content/everything")).unwrap();
    symlink(outside.join("nowhere"), outside.join("content/dead")).unwrap();
    let content = format!(
        "define('WP_CONTENT_DIR', '{}');\n$table_prefix",
        outside.join("content").display()
    );
    let root = blog.site("www", &blog.config(&blog.tcp()).replace("$table_prefix", &content));
    let (stored, report) = blog.captured(&root).await;
    for file in [
        "content/x.php",
        "media/2026/photo.jpg",
        "shared/theme/style.css",
        "month/b.jpg",
    ] {
        assert!(stored.has(&outside.join(file)), "{file}: {:?}", stored.files.keys());
    }
    assert!(
        stored.told().contains("leads to /, which is more than this site"),
        "{}",
        stored.told()
    );
    assert!(!stored.files.keys().any(|path| path.starts_with("etc/")));
    assert!(
        report
            .site
            .unwrap()
            .facts
            .directories
            .contains(&outside.join("month").display().to_string())
    );

    // Uploads may be named in the database alone.
    fs::create_dir_all(blog.home.join("files")).unwrap();
    fs::write(blog.home.join("files/c.jpg"), "c").unwrap();
    blog.server.sql_in(
        "blog",
        &format!(
            "update wp_options set option_value = '{}' where option_name = 'upload_path'",
            blog.home.join("files").display()
        ),
    );
    let (stored, _) = blog.captured(&root).await;
    assert!(stored.has(&blog.home.join("files/c.jpg")));
}

#[tokio::test(flavor = "multi_thread")]
async fn php_is_asked_where_only_running_it_can_tell_and_changes_nothing() {
    let blog = Blog::start();
    let hidden = "define('DB_NAME', strrev('golb')); file_put_contents(__DIR__ . '/written', 'x'); touch(__DIR__ . '/touched'); \
        @unlink(__DIR__ . '/index.php'); mkdir(__DIR__ . '/made'); @fopen(__DIR__ . '/opened', 'w'); \
        ini_set('error_log', __DIR__ . '/log'); error_log('x'); trigger_error('x'); echo 'noise'; \
        if (function_exists('exec')) { exec('touch ' . __DIR__ . '/ran'); }\n$table_prefix";
    let config = blog
        .config(&blog.tcp())
        .replace("define( 'DB_NAME', 'blog' );", "")
        .replace("$table_prefix", hidden);
    let root = blog.site("www", &config);
    let before = names(&root);
    let (stored, report) = blog.captured(&root).await;
    assert!(report.site.unwrap().facts.asked_php);
    assert!(
        stored.told().contains("worked out by the server's own PHP"),
        "{}",
        stored.told()
    );
    assert_eq!(before, names(&root));

    // A file that only PHP can find, and that asks an environment which is not the web server's.
    fs::write(
        root.join("secret.php"),
        "<?php define('DB_NAME', getenv('X') ?: 'blog');",
    )
    .unwrap();
    fs::write(
        root.join("wp-config.php"),
        config.replace(
            "define('DB_NAME', strrev('golb'));",
            "include __DIR__ . strrev('php.terces/');",
        ),
    )
    .unwrap();
    let error = blog.refused(&root).await;
    assert_eq!(error.code.as_str(), "config_unresolved", "{error}");
    assert!(
        error.message.contains("secret.php, which reads the environment"),
        "{error}"
    );
    fs::write(root.join("secret.php"), "<?php define('DB_NAME', 'blog');").unwrap();
    blog.captured(&root).await;
}

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// As Bedrock has it.
const WP_CONFIG: &str = r"<?php
require_once dirname(__DIR__) . '/vendor/autoload.php';
require_once dirname(__DIR__) . '/config/application.php';
require_once ABSPATH . 'wp-settings.php';
";

/// As Bedrock has it, without what has nothing to do with places and databases.
const APPLICATION: &str = r#"<?php
use Roots\WPConfig\Config;
use function Env\env;
Env\Env::$options = 31;
$root_dir = dirname(__DIR__);
$webroot_dir = $root_dir . '/web';
if (file_exists($root_dir . '/.env')) {
    $env_files = file_exists($root_dir . '/.env.local') ? ['.env', '.env.local'] : ['.env'];
    $repository = Dotenv\Repository\RepositoryBuilder::createWithNoAdapters()
        ->addAdapter(Dotenv\Repository\Adapter\EnvConstAdapter::class)
        ->addAdapter(Dotenv\Repository\Adapter\PutenvAdapter::class)
        ->immutable()
        ->make();
    $dotenv = Dotenv\Dotenv::create($repository, $root_dir, $env_files, false);
    $dotenv->load();
    $dotenv->required(['WP_HOME', 'WP_SITEURL']);
    if (!env('DATABASE_URL')) {
        $dotenv->required(['DB_NAME', 'DB_USER', 'DB_PASSWORD']);
    }
}
define('WP_ENV', env('WP_ENV') ?: 'production');
if (!env('WP_ENVIRONMENT_TYPE') && in_array(WP_ENV, ['production', 'staging', 'development', 'local'])) {
    Config::define('WP_ENVIRONMENT_TYPE', WP_ENV);
}
Config::define('WP_HOME', env('WP_HOME'));
Config::define('WP_SITEURL', env('WP_SITEURL'));
Config::define('CONTENT_DIR', '/app');
Config::define('WP_CONTENT_DIR', $webroot_dir . Config::get('CONTENT_DIR'));
Config::define('WP_CONTENT_URL', Config::get('WP_HOME') . Config::get('CONTENT_DIR'));
if (env('DB_SSL')) {
    Config::define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL);
}
Config::define('DB_NAME', env('DB_NAME'));
Config::define('DB_USER', env('DB_USER'));
Config::define('DB_PASSWORD', env('DB_PASSWORD'));
Config::define('DB_HOST', env('DB_HOST') ?: 'localhost');
Config::define('DB_CHARSET', 'utf8mb4');
Config::define('DB_COLLATE', '');
$table_prefix = env('DB_PREFIX') ?: 'wp_';
if (env('DATABASE_URL')) {
    $dsn = (object) parse_url(env('DATABASE_URL'));
    Config::define('DB_NAME', substr($dsn->path, 1));
    Config::define('DB_USER', $dsn->user);
    Config::define('DB_PASSWORD', isset($dsn->pass) ? $dsn->pass : null);
    Config::define('DB_HOST', isset($dsn->port) ? "{$dsn->host}:{$dsn->port}" : $dsn->host);
}
Config::define('WP_POST_REVISIONS', env('WP_POST_REVISIONS') ?? true);
Config::define('WP_DEBUG_DISPLAY', false);
ini_set('display_errors', '0');
if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
$env_config = __DIR__ . '/environments/' . WP_ENV . '.php';
if (file_exists($env_config)) {
    require_once $env_config;
}
Config::apply();
if (!defined('ABSPATH')) {
    define('ABSPATH', $webroot_dir . '/wp/');
}
"#;
