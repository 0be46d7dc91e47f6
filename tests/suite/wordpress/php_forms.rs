//! Configurations in many forms: what is worked out of them must be what PHP itself makes of the same files, or
//! nothing at all.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use xvault::connectors::wordpress::php::{Answer, Known, Seen, Value, work_out};

use crate::support::scratch::temp_dir;

const NAMES: &[&str] = &[
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_HOST",
    "WP_CONTENT_DIR",
    "$table_prefix",
];

/// Works out a configuration whose files lie on this machine.
fn worked_out(directory: &Path) -> Answer {
    let mut known = Known {
        document_root: directory.display().to_string(),
        ..Known::default()
    };
    known
        .constants
        .insert("ABSPATH".into(), format!("{}/", directory.display()));
    let entry = directory.join("wp-config.php").display().to_string();
    known.files.insert(entry.clone(), seen(&entry));
    loop {
        let answer = work_out(&entry, &known);
        if answer.wants.files.is_empty() && answer.wants.variables.is_empty() {
            return answer;
        }
        for path in &answer.wants.files {
            known.files.insert(path.clone(), seen(path));
        }
        for name in &answer.wants.variables {
            let value = (name == "XVAULT_TEST_SET").then(|| b"from the environment".to_vec());
            known.environment.insert(name.clone(), value);
        }
    }
}

fn seen(path: &str) -> Seen {
    match fs::read(path) {
        Ok(content) => Seen::File {
            real: fs::canonicalize(path).unwrap().display().to_string(),
            content,
        },
        Err(_) if Path::new(path).exists() => Seen::Other,
        Err(_) => Seen::Absent,
    }
}

/// What PHP makes of the same files.
fn asked_of_php(directory: &Path) -> BTreeMap<String, Option<String>> {
    let show = format!(
        r#"<?php $out = []; foreach (json_decode('{}') as $n) {{
            if ($n[0] === '$') $v = isset($table_prefix) ? $table_prefix : null;
            else $v = defined($n) ? constant($n) : null;
            $out[$n] = $v === null ? null : base64_encode((string) $v);
        }} echo "\x01", json_encode($out); exit;"#,
        serde_json::to_string(NAMES).unwrap()
    );
    fs::write(directory.join("wp-settings.php"), show).unwrap();
    let run = format!(
        "$_SERVER['DOCUMENT_ROOT'] = '{0}'; define('ABSPATH', '{0}/'); require '{0}/wp-config.php'; require '{0}/wp-settings.php';",
        directory.display()
    );
    let output = Command::new("php")
        .args(["-n", "-d", "display_errors=0", "-r", &run])
        .env_clear()
        .env("XVAULT_TEST_SET", "from the environment")
        .output()
        .expect("php (package php-cli)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let json = text.rsplit('\x01').next().unwrap();
    let answer: BTreeMap<String, Option<String>> =
        serde_json::from_str(json).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    answer
}

fn encoded(value: &Value) -> Option<String> {
    use base64::Engine;
    match value {
        Value::Null => None,
        value => Some(base64::engine::general_purpose::STANDARD.encode(value.text().unwrap())),
    }
}

/// Both answers to the configuration with these files, which must be the same; `open` are those that only PHP knows.
fn compare(files: &[(&str, &str)], open: &[&str]) {
    let place = temp_dir("php");
    let directory = place.path().canonicalize().unwrap().join("site");
    for (name, content) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let ours = worked_out(&directory);
    let theirs = asked_of_php(&directory);
    for name in NAMES {
        let found = ours.get(name);
        if open.contains(name) {
            assert!(
                matches!(found, Some(Value::Unknown(_))),
                "{name} is {found:?} in {files:?}"
            );
            continue;
        }
        if let Some(Value::Unknown(why)) = &found {
            panic!("{name} depends on {why} in {files:?}");
        }
        assert_eq!(found.as_ref().and_then(encoded), theirs[*name], "{name} in {files:?}");
    }
}

fn same(config: &str) {
    compare(&[("wp-config.php", config)], &[]);
}

#[test]
fn every_way_to_write_a_definition_means_what_php_means() {
    for config in [
        r#"<?php define('DB_NAME', 'shop'); define("DB_USER", "u\x41\n\$x"); DEFINE ( 'DB_PASSWORD' , 'it\'s \\ "x" \n' , ) ;"#,
        "<?php Define\n(\n  'DB_NAME'\n, 'a' // 'b'\n); # define('DB_USER', 'no');\n/* define('DB_USER','no'); */ define('DB_USER', 'yes', false);",
        "<?php define('DB_NAME', 'first'); define('DB_NAME', 'second'); $table_prefix = 'a_'; $table_prefix = 'b_';",
        "<?php defined('DB_NAME') || define('DB_NAME', 'x'); defined('DB_NAME') or define('DB_NAME', 'y');",
        "<?php if (!defined('DB_NAME')) define('DB_NAME', 'x'); if ( ! defined('DB_NAME') ) { define('DB_NAME', 'y'); }",
        "<?php if (defined('X')): define('DB_NAME', 'x'); elseif (true): define('DB_NAME', 'y'); else: define('DB_NAME', 'z'); endif;",
        "<?php const DB_NAME = 'c', DB_USER = 'u' . 'v'; define('DB_HOST', DB_NAME . ':' . 3306);",
        "<?php \\define('DB_NAME', 'x'); namespace\\define('a', 1); ",
        "<?php define('WP_CONTENT_DIR', __DIR__ . '/content'); define('DB_NAME', dirname(__FILE__)); define('DB_USER', dirname(dirname(__DIR__)));",
        "<?php define('WP_CONTENT_DIR', ABSPATH . '../x'); define('DB_NAME', dirname(__DIR__, 2)); define('DB_USER', basename(__FILE__, '.php'));",
        "<?php $a = 'x'; $b = ['k' => 'v', 'n' => ['m' => 'deep']]; define('DB_NAME', \"$a-{$a}_$b[k]-{$b['n']['m']}\"); $table_prefix = $b['n']['m'] . '_';",
        "<?php $c = (object) ['host' => 'h', 'port' => 3307]; define('DB_HOST', isset($c->port) ? \"{$c->host}:{$c->port}\" : $c->host); define('DB_NAME', \"$c->host\");",
        "<?php define('DB_PASSWORD', <<<'EOT'\n a $b \\n 'x'\n EOT); define('DB_NAME', <<<EOT\n\tx\\ty\n\t  {$_SERVER['DOCUMENT_ROOT']}\n\tEOT);",
        "text <?php define('DB_NAME', 'x') ?> text <?php define('DB_USER', 'y'); // ?> <?php define('DB_HOST', 'z') ?>",
        "<?php $x = null; define('DB_NAME', $x ?? 'd'); define('DB_USER', $x ?: 'e'); define('DB_HOST', true ? 'f' : 'g'); $y ??= 'h'; define('DB_PASSWORD', $y);",
        "<?php define('DB_NAME', getenv('XVAULT_TEST_SET')); define('DB_USER', getenv('XVAULT_TEST_SET') ?: 'x');",
        "<?php if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https') $_SERVER['HTTPS'] = 'on'; define('DB_NAME', 'x');",
        "<?php function f($x) { return $x; } class C { const X = 1; function define() {} } define('DB_NAME', 'x'); $f = function() { define('DB_NAME', 'y'); }; $g = fn($a) => $a;",
        "<?php foreach ([1, 2] as $i) { ini_set('a', $i); } while (false) {} try { define('DB_NAME', 'x'); } catch (\\Exception $e) { } define('DB_USER', 'u');",
        "<?php define('DB_NAME', 'x'); $table_prefix = 'wp_'; require_once ABSPATH . 'wp-settings.php'; define('DB_USER', 'never');",
        "<?php define('DB_NAME', 'x'); if (file_exists(__DIR__ . '/not-there.php')) { include __DIR__ . '/not-there.php'; } define('DB_HOST', str_replace('a', 'b', trim(' aa ')));",
        "<?php $db = parse_url('mysql://u:p%40x@h:3307/shop?x=1'); define('DB_NAME', substr($db['path'], 1)); define('DB_USER', $db['user']); define('DB_PASSWORD', urldecode($db['pass'])); define('DB_HOST', $db['host'] . ':' . $db['port']);",
        "<?php @ini_set('display_errors', 0); error_reporting(E_ALL & ~E_NOTICE); define('WP_DEBUG', false); define('DB_NAME', (string) 12); define('DB_PASSWORD', 0123); $GLOBALS['table_prefix'] = 'g_';",
        "<?php if (1 == '1' && 'a' != 'b' and !false xor false) define('DB_NAME', 'x'); define('DB_USER', in_array('a', ['a', 'b'], true) ? 'in' : 'out');",
        "<?php\r\ndefine('DB_NAME', 'crlf');\r\n$table_prefix  = 'x_';\r\n/* That's all */\r\n",
        "<?php define('DB_PASSWORD', \"\\u{e9}\\101\\e\"); define('DB_NAME', 'caf\u{e9}'); define('DB_USER', \"a\" \n . 'b' . \"c\");",
        "<?php $list = explode(',', 'a,b'); define('DB_NAME', $list[1]); define('DB_USER', strtoupper(rtrim('x/', '/'))); define('DB_HOST', constant('DB_NAME'));",
        "<?php switch ('a') { case 'a': break; default: } define('DB_NAME', 'x');",
    ] {
        same(config);
    }
}

#[test]
fn files_that_are_included_are_followed() {
    compare(
        &[
            (
                "wp-config.php",
                "<?php require __DIR__ . '/../conf/db.php'; define('DB_NAME', 'late'); include 'more.php'; require_once(ABSPATH . 'wp-settings.php');",
            ),
            (
                "../conf/db.php",
                "<?php define('DB_NAME', 'db'); define('DB_USER', basename(__DIR__)); if (!defined('ABSPATH')) return; define('DB_HOST', 'h'); return; define('DB_HOST', 'never');",
            ),
            (
                "more.php",
                "<?php $table_prefix = 'more_'; define('WP_CONTENT_DIR', __DIR__);",
            ),
        ],
        &[],
    );
}

#[test]
fn what_is_not_certain_is_never_a_value() {
    for (config, open) in [
        (
            "<?php define('DB_NAME', getenv('XVAULT_NOT_SET') ?: 'default');",
            &["DB_NAME"][..],
        ),
        (
            "<?php define('DB_NAME', $_ENV['XVAULT_NOT_SET'] ?? 'default'); define('DB_USER', 'u');",
            &["DB_NAME"],
        ),
        (
            "<?php if ($_SERVER['HTTP_HOST'] == 'a') { define('DB_NAME', 'a'); } define('DB_NAME', 'b'); define('DB_USER', 'u');",
            &["DB_NAME"],
        ),
        (
            "<?php if (strrev('x') == 'x') { $table_prefix = 'a_'; } else { define('DB_NAME', 'n'); }",
            &["DB_NAME", "$table_prefix"],
        ),
        (
            "<?php $table_prefix = 'a_'; foreach ([1] as $i) { $table_prefix = 'b_'; }",
            &["$table_prefix"],
        ),
        (
            "<?php if (strrev('x') == 'y') return; define('DB_NAME', 'x');",
            &["DB_NAME"],
        ),
        (
            "<?php function secret($x) { return $x . 'y'; } define('DB_PASSWORD', secret('x')); define('DB_NAME', 'n');",
            &["DB_PASSWORD"],
        ),
        (
            "<?php function all() { define('DB_NAME', 'x'); } all(); define('DB_NAME', 'y');",
            NAMES,
        ),
        (
            "<?php eval(\"define('DB_NAME', 'x');\"); define('DB_NAME', 'y');",
            NAMES,
        ),
        (
            "<?php define('DB_NAME', 'sure'); include strrev('php.a'); define('DB_USER', 'u'); $table_prefix = 'sure_';",
            &["DB_USER", "DB_PASSWORD", "DB_HOST", "WP_CONTENT_DIR"],
        ),
        ("<?php define(strrev('EMAN_BD'), 'x');", NAMES),
        ("<?php define('DB_NAME', base64_decode('eA=='));", &["DB_NAME"]),
    ] {
        compare(&[("wp-config.php", config)], open);
    }
}

#[test]
fn hostile_files_end_soon_and_harm_nothing() {
    let deep = format!("<?php {}1{};", "(".repeat(50_000), ")".repeat(50_000));
    let nested = format!("<?php {}", "if (1) {".repeat(50_000));
    let many = format!("<?php {}", "define('A' . 1, ['x' => 'y']);".repeat(20_000));
    let braces = format!("<?php \"{}\";", "{$a[".repeat(20_000));
    for content in [
        &deep,
        &nested,
        &many,
        &braces,
        &"<?php \"${".to_owned(),
        &"<?php $a[".to_owned(),
        &"<?php ?->;".to_owned(),
    ] {
        let place = temp_dir("php");
        fs::write(place.path().join("wp-config.php"), content).unwrap();
        worked_out(place.path());
    }
    // Files that include each other.
    let place = temp_dir("php");
    fs::write(
        place.path().join("wp-config.php"),
        "<?php include 'a.php'; define('DB_NAME', 'x');",
    )
    .unwrap();
    fs::write(
        place.path().join("a.php"),
        "<?php include 'wp-config.php'; include 'a.php';",
    )
    .unwrap();
    assert_eq!(worked_out(place.path()).get("DB_NAME"), Some(Value::from("x")));
}
