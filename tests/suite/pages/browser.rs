//! A browser without JavaScript: follows links, fills in forms, keeps cookies, follows redirects.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode, header};

use crate::support::http;

/// Somebody in front of a browser.
pub struct Browser {
    base: String,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
    /// `Set-Cookie` lines as they came.
    pub set_cookies: Vec<String>,
}

/// A page that was fetched.
#[derive(Clone)]
pub struct Page {
    /// Path and query after all redirects.
    pub path: String,
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub html: String,
}

/// A form as it stands in a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub method: Method,
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Browser {
    /// At the hub with this URL.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client: http::client(),
            cookies: BTreeMap::new(),
            set_cookies: Vec::new(),
        }
    }

    /// A browser that signed in.
    pub async fn signed_in(base: &str, email: &str, password: &str) -> Self {
        let mut browser = Self::new(base);
        let form = browser.get("/sign-in").await.form("/sign-in");
        let page = browser.submit(form.set("email", email).set("password", password)).await;
        assert_eq!(
            (page.status, page.path.as_str()),
            (StatusCode::OK, "/"),
            "{}",
            page.html
        );
        browser
    }

    /// Fetches a page.
    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, None).await
    }

    /// Sends a form.
    pub async fn submit(&mut self, form: Form) -> Page {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form.fields)
            .finish();
        if form.method == Method::GET {
            return self.send(Method::GET, &format!("{}?{body}", form.action), None).await;
        }
        self.send(Method::POST, &form.action, Some(body)).await
    }

    /// Its cookies, as it sends them.
    pub fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// Forgets who it was.
    pub fn forget_cookies(&mut self) {
        self.cookies.clear();
    }

    async fn send(&mut self, mut method: Method, path: &str, mut body: Option<String>) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let mut request = self
                .client
                .request(method.clone(), format!("{}{path}", self.base))
                .header(header::COOKIE, self.cookie_header());
            if let Some(body) = body.take() {
                request = request
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body);
            }
            let response = request.send().await.expect("an answer");
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                self.keep_cookie(cookie.to_str().expect("ASCII"));
            }
            if response.status().is_redirection() {
                path = response.headers()[header::LOCATION].to_str().expect("ASCII").to_owned();
                assert!(path.starts_with('/'), "a redirect stays here: {path}");
                method = Method::GET;
                continue;
            }
            return Page {
                path,
                status: response.status(),
                headers: response.headers().clone(),
                html: response.text().await.expect("the whole page"),
            };
        }
        panic!("too many redirects, last to {path}");
    }

    fn keep_cookie(&mut self, line: &str) {
        self.set_cookies.push(line.to_owned());
        let (name, value) = line
            .split(';')
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("a cookie");
        if line.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    /// The form that is sent to `action`.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let forms = elements(&self.html, "form");
        let wanted = forms
            .iter()
            .find(|form| attribute(tag_of(form), "action").as_deref() == Some(action));
        let form = wanted.unwrap_or_else(|| panic!("no form to {action} at {}: {}", self.path, self.text()));
        let method = match attribute(tag_of(form), "method").as_deref() {
            Some("post") => Method::POST,
            _ => Method::GET,
        };
        Form {
            method,
            action: action.to_owned(),
            fields: fields(form),
        }
    }

    /// True if it has such a form.
    pub fn has_form(&self, action: &str) -> bool {
        let forms = elements(&self.html, "form");
        forms
            .iter()
            .any(|form| attribute(tag_of(form), "action").as_deref() == Some(action))
    }

    /// The first link whose address starts like this.
    #[track_caller]
    pub fn link(&self, prefix: &str) -> String {
        let found = tags(&self.html, "a")
            .iter()
            .filter_map(|tag| attribute(tag, "href"))
            .find(|href| href.starts_with(prefix));
        found.unwrap_or_else(|| panic!("no link to {prefix}… at {}: {}", self.path, self.text()))
    }

    /// What a person reads, blanks joined.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let body = self
            .html
            .split_once("<body>")
            .map_or(self.html.as_str(), |(_, body)| body);
        for part in body.split('<') {
            text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
            text.push(' ');
        }
        unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Form {
    /// Fills in a field; replaces what stands there.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.add(name, value)
    }

    /// Ticks one more box, or presses a button with a name.
    pub fn add(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a form would send as it stands.
fn fields(form: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for tag in tags(form, "input") {
        let kind = attribute(&tag, "type").unwrap_or_default();
        let off = has(&tag, "disabled") || matches!(kind.as_str(), "radio" | "checkbox") && !has(&tag, "checked");
        if let (Some(name), false) = (attribute(&tag, "name"), off) {
            fields.push((name, attribute(&tag, "value").unwrap_or_default()));
        }
    }
    for area in elements(form, "textarea") {
        let (tag, content) = area.split_once('>').expect("a whole tag");
        let content = content.strip_suffix("</textarea>").unwrap_or(content);
        let name = attribute(tag, "name").expect("a name");
        fields.push((name, unescape(content.strip_prefix('\n').unwrap_or(content))));
    }
    for select in elements(form, "select") {
        let options = tags(&select, "option");
        let chosen = options.iter().find(|tag| has(tag, "selected")).or(options.first());
        let value = chosen.and_then(|tag| attribute(tag, "value")).unwrap_or_default();
        fields.push((attribute(tag_of(&select), "name").expect("a name"), value));
    }
    fields
}

/// Opening tags with their attributes.
pub fn tags(html: &str, name: &str) -> Vec<String> {
    let start = format!("<{name}");
    let starts = html.match_indices(&start).map(|(i, _)| &html[i..]);
    let exact = starts.filter(|rest| !rest[name.len() + 1..].starts_with(|c: char| c.is_ascii_alphanumeric()));
    exact
        .map(|rest| rest[..=rest.find('>').expect("a whole tag")].to_owned())
        .collect()
}

/// Elements that do not nest, with their tags.
fn elements(html: &str, name: &str) -> Vec<String> {
    let end = format!("</{name}>");
    let start = format!("<{name}");
    let starts = html.match_indices(&start).map(|(i, _)| &html[i..]);
    let exact = starts.filter(|rest| !rest[name.len() + 1..].starts_with(|c: char| c.is_ascii_alphanumeric()));
    exact
        .map(|rest| rest[..rest.find(&end).expect("its end") + end.len()].to_owned())
        .collect()
}

fn tag_of(element: &str) -> &str {
    &element[..=element.find('>').expect("a whole tag")]
}

/// Value of an attribute.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(&rest[..rest.find('"')?]))
}

/// True if the attribute stands there, with a value or without.
pub fn has(tag: &str, name: &str) -> bool {
    let outside: String = tag.split('"').step_by(2).collect::<Vec<_>>().join("");
    outside.split([' ', '>', '=']).any(|word| word == name)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("&#") {
        plain.push_str(&rest[..start]);
        let end = start + rest[start..].find(';').expect("a whole reference");
        let code = rest[start + 2..end].parse::<u32>().expect("a number");
        plain.push(char::from_u32(code).expect("a character"));
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    plain
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
