//! Which directories and files make a site, wherever they lie.

use std::time::Duration;

use super::{remote::Remote, settings::Settings};
use crate::{
    connectors::{program::Limits, roots::is_within},
    domain::job::JobError,
};

/// Finds links as deep as `uploads/2024/11`, `plugins/shop` and `uploads/sites/5`; prints each with where it leads.
const SCAN: &str = r#"for d do find "$d" -maxdepth 2 -type l -exec sh -c 'for l do t=$(readlink -f "$l" 2>/dev/null) && [ -e "$l" ] && printf "%s\000%s\000" "$l" "$t"; done' sh {} + 2>/dev/null; done | head -c 400000"#;

const LIMITS: Limits = Limits {
    bytes: 1024 * 1024,
    time: Duration::from_secs(120),
};

/// Directories that are a system's and not a site's, although a link may lead there.
const NOT_A_SITES: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/www",
];

/// What to capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The document root as configured, then what lies outside of it.
    pub(super) paths: Vec<String>,
    /// The same with links resolved.
    pub(super) real: Vec<String>,
    /// Links that are not followed, with the reason.
    pub(super) refused: Vec<(String, String)>,
}

impl Places {
    /// Finds out where everything lies.
    ///
    /// # Errors
    /// Those of a lost connection.
    pub(super) async fn find(
        remote: &Remote<'_>,
        settings: &Settings,
        given: &str,
        upload_path: Option<&str>,
    ) -> Result<Self, JobError> {
        let root = &settings.located.root;
        let uploads = uploads(settings, upload_path);
        let mut wanted = vec![settings.abspath.clone(), settings.content.clone(), uploads];
        wanted.extend_from_slice(&settings.elsewhere);
        wanted.push(settings.located.config.clone());
        wanted.extend_from_slice(&settings.files);
        let resolved = remote.resolve(&wanted).await?;
        let mut places = Self {
            paths: vec![given.to_owned()],
            real: vec![root.clone()],
            refused: Vec::new(),
        };
        if let Some(project) = project(&settings.files) {
            places.paths.push(project.to_owned());
            places.real.push(project.to_owned());
        }
        for (wanted, real) in wanted.iter().zip(&resolved) {
            if let Some(real) = real {
                places.add(wanted, real, root);
            }
        }
        let mut scanned = vec![root.clone()];
        scanned.extend([&resolved[1], &resolved[2]].into_iter().flatten().cloned());
        scanned.dedup();
        let answer = remote.script(SCAN, &scanned, LIMITS).await?;
        let text = String::from_utf8_lossy(&answer);
        let mut fields = text.split('\0');
        while let (Some(link), Some(target)) = (fields.next(), fields.next()) {
            places.add(link, target.trim_end_matches('\n'), root);
        }
        Ok(places)
    }

    /// Takes a place in unless it lies within what is captured anyway.
    fn add(&mut self, name: &str, real: &str, root: &str) {
        let within = |above: &String| is_within(real.as_bytes(), above.as_bytes());
        if !real.starts_with('/') || self.real.iter().any(within) {
            return;
        }
        // A link to the whole system, or to a directory above the site, would capture what is not the site's.
        let system = NOT_A_SITES.contains(&real) || is_within(real.as_bytes(), b"/proc");
        let above = is_within(root.as_bytes(), real.as_bytes());
        // What dumps are called in the artifact.
        let taken = is_within(real.as_bytes(), b"/databases") || real == "/wordpress.json";
        if system || above || taken {
            self.refused.push((name.to_owned(), real.to_owned()));
            return;
        }
        self.paths.push(real.to_owned());
        self.real.push(real.to_owned());
    }
}

/// The project that a document root with its configuration beside it belongs to (Bedrock): without the rest of it,
/// the site does not run.
fn project(files: &[String]) -> Option<&str> {
    let project = files
        .iter()
        .find_map(|file| file.strip_suffix("/config/application.php"))?;
    (!project.is_empty()).then_some(project)
}

/// Where WordPress puts uploads.
fn uploads(settings: &Settings, upload_path: Option<&str>) -> String {
    let Settings { abspath, content, .. } = settings;
    match (&settings.uploads, upload_path) {
        (Some(uploads), _) => format!("{abspath}{uploads}"),
        (None, Some(path)) if path != "wp-content/uploads" => match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{abspath}{path}"),
        },
        (None, _) => format!("{content}/uploads"),
    }
}
