//! Who may ask: pages of this server alone.
//!
//! A page of a foreign site can send requests to a server on the reader's own machine. Three things keep it out. Its
//! requests have its `Origin`. Where it has its own name point to this machine (DNS rebinding), its name is in
//! `Host`. And it does not know the token that changes need.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::server::App;

/// The header with the token.
pub(super) const TOKEN: &str = "x-hadal-token";

/// The names by which the server may be called.
pub(super) struct Names {
    names: Vec<String>,
    port: u16,
    /// Whether any address will do. A foreign site's name is none.
    any_address: bool,
}

impl Names {
    pub fn new(listen: &str, port: u16) -> Names {
        let address = listen.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let is_loopback = address.map_or(listen.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
        let any_address = address.is_some_and(|address| address.is_unspecified());
        let mut names = vec![shown(listen)];
        if is_loopback || any_address {
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(str::to_owned));
        }
        Names { names, port, any_address }
    }

    /// Whether a `Host` is one of ours.
    fn admit(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.ends_with(']')) {
            Some((name, port)) => (name, port.parse().ok()),
            None => (host, Some(80)),
        };
        let is_own = self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        let is_address = || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        port == Some(self.port) && (is_own || self.any_address && is_address())
    }

    /// Why a request is refused, if it is.
    fn refuse(&self, method: &Method, headers: &HeaderMap, token: &str) -> Option<&'static str> {
        let only = |name: &HeaderName| {
            let mut all = headers.get_all(name).iter();
            let first = all.next();
            first.map(|value| value.to_str().ok().filter(|_| all.next().is_none()).unwrap_or_default())
        };
        if !only(&HOST).is_some_and(|host| self.admit(host)) {
            return Some("this server does not go by the name in Host");
        }
        let is_own = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| self.admit(host));
        if only(&ORIGIN).is_some_and(|origin| !is_own(origin)) {
            return Some("requests of other pages (Origin) are refused");
        }
        if method == Method::GET || method == Method::HEAD {
            return None;
        }
        let given = headers.get(TOKEN).map_or(&[][..], HeaderValue::as_bytes);
        let is_known: bool = given.ct_eq(token.as_bytes()).into();
        (!is_known).then_some("changes need the token that was printed at the start, in the header X-Hadal-Token")
    }
}

/// A host's name as it stands in an address: with brackets around colons.
pub(super) fn shown(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// What browsers are told about every answer.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let refused = app.names.refuse(request.method(), request.headers(), &app.token);
    let mut response = match refused {
        Some(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_loopback_names_with_the_port_or_what_listens() {
        let own = Names::new("127.0.0.1", 7860);
        for host in ["127.0.0.1:7860", "localhost:7860", "LOCALHOST:7860", "[::1]:7860"] {
            assert!(own.admit(host), "{host}");
        }
        for host in ["", "localhost", "localhost:80", "localhost:", "evil.example:7860", "127.0.0.1.evil.example:7860"]
        {
            assert!(!own.admit(host), "{host}");
        }
        for host in
            ["192.168.0.7:7860", "localhost:7860:7860", "::1:7860", "localhost:7860@evil", "user@localhost:7860"]
        {
            assert!(!own.admit(host), "{host}");
        }
        let named = Names::new("box.example", 80);
        assert!(named.admit("box.example") && named.admit("box.example:80") && !named.admit("localhost"));
        let all = Names::new("0.0.0.0", 7860);
        assert!(all.admit("192.168.0.7:7860") && all.admit("[fe80::1]:7860") && !all.admit("evil.example:7860"));
        assert!(Names::new("::1", 7860).admit("[::1]:7860"));
    }
}
