//! Server-sent events.

use futures::StreamExt;
use reqwest::header;

use super::{admin, filled_in};
use crate::support::{http, sshd::Sshd, xvault::Stack};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_of_a_job_until_it_is_over() {
    let (stack, server) = (Stack::start().await, Sshd::start());
    let mut browser = admin(&stack.hub.url).await;
    let home = server.home();
    let form = filled_in(&mut browser, &server, "web", home.to_str().expect("UTF-8")).await;
    let source = browser.submit(form).await;
    let address = source
        .html
        .split("data-live=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("an address");

    let request = http::client()
        .get(format!("{}{address}", stack.hub.url))
        .header(header::COOKIE, browser.cookie_header());
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = answer.bytes_stream();
    let mut heard = String::new();
    let listening = async {
        while let Some(Ok(bytes)) = stream.next().await {
            heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    // It ends by itself once the probe is over.
    tokio::time::timeout(crate::support::eventually::SOON, listening)
        .await
        .expect("the end of the stream");
    assert!(
        heard.contains("event: changed") && heard.contains("succeeded"),
        "{heard}"
    );

    let anonymous = http::client()
        .get(format!("{}{address}", stack.hub.url))
        .send()
        .await
        .expect("an answer");
    assert!(anonymous.status().is_redirection(), "{}", anonymous.status());
}
