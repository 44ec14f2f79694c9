//! Whether a request means this machine. A page of a stranger can be told another address for its own name (DNS rebinding), and reaches a local port
//! by it; but its `Host` is still that name.

use axum::http::{HeaderMap, header};
use std::net::{IpAddr, Ipv6Addr};

/// The port that a request's `Host` names at this machine, 80 where it names none.
///
/// # Errors
/// What was found, in quotes: another name, or not one `Host`.
pub fn local_port(headers: &HeaderMap) -> Result<u16, String> {
    let host = match headers.get_all(header::HOST).iter().collect::<Vec<_>>()[..] {
        [host] => host.to_str().unwrap_or_default().to_ascii_lowercase(),
        _ => String::new(),
    };
    port(&host).ok_or_else(|| format!("{:?}", host.chars().take(64).collect::<String>()))
}

fn port(host: &str) -> Option<u16> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (host, 80),
    };
    let six = || name.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let address = name.parse().ok().filter(IpAddr::is_ipv4).or_else(|| six().map(IpAddr::V6));
    (name == "localhost" || address.is_some_and(|ip| ip.is_loopback())).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for (host, found) in [
            ("localhost:9100", Some(9100)),
            ("127.0.0.1:1", Some(1)),
            ("127.0.0.2:8000", Some(8000)),
            ("[::1]:80", Some(80)),
            ("[::1]", Some(80)),
            ("localhost", Some(80)),
            ("", None),
            ("evil.example", None),
            ("evil.example:9100", None),
            ("localhost.evil.example:9100", None),
            ("localhost:9100.evil.example", None),
            ("localhost@evil.example", None),
            ("::1", None),
            ("192.168.0.1:9100", None),
            ("localhost:65536", None),
            ("localhost:", None),
        ] {
            assert_eq!(port(host), found, "{host}");
        }
    }
}
