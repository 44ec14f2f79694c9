//! A network with the delay and the bandwidth of a longer wire, for measuring on one machine.
//!
//! Each directed link holds a frame back until `max(link free, now) + payload / rate + RTT / 2`. The sender writes that
//! time into the frame, the receiver waits for it: no thread, nobody blocks, frames on their way overlap. So both
//! ends must be shaped, and share a clock.

use crate::{Error, Frame, Id, Net, Part, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A stamp further ahead than this is no delay but a wrong clock.
const FAR: Duration = Duration::from_secs(3600);

/// Delay and bandwidth of every link. Written `local` (neither), `40ms`, `100Mbps` or `40ms,100Mbps`; `lan` is
/// `0.2ms,10Gbps` and `wan` is `40ms,100Mbps`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Profile {
    /// The time for a message there and an answer back.
    pub rtt: Duration,
    /// The rate of each directed link; `None` is no limit.
    pub bits_per_second: Option<f64>,
}

/// Text that is no [`Profile`].
#[derive(Debug, thiserror::Error)]
#[error("links {text:?}: {part:?} is neither a delay (40ms, 1s) nor a rate (100Mbps, 1Gbps); or use local, lan, wan")]
pub struct ProfileError {
    text: String,
    part: String,
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> std::result::Result<Profile, ProfileError> {
        let lower = match text.trim().to_ascii_lowercase().as_str() {
            "local" => return Ok(Profile::default()),
            "lan" => "0.2ms,10gbps".to_owned(),
            "wan" => "40ms,100mbps".to_owned(),
            other => other.to_owned(),
        };
        let mut profile = Profile::default();
        let mut seconds = None;
        for part in lower.split(',').map(str::trim) {
            let rate = [("gbps", 1e9), ("mbps", 1e6), ("kbps", 1e3)].into_iter().find_map(|u| number(part, u));
            let time = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)].into_iter().find_map(|u| number(part, u));
            match (rate, time) {
                (Some(rate), _) if rate > 0.0 && profile.bits_per_second.is_none() => {
                    profile.bits_per_second = Some(rate);
                }
                (None, Some(time)) if time <= FAR.as_secs_f64() && seconds.is_none() => seconds = Some(time),
                _ => return Err(ProfileError { text: text.to_owned(), part: part.to_owned() }),
            }
        }
        profile.rtt = Duration::from_secs_f64(seconds.unwrap_or(0.0));
        Ok(profile)
    }
}

fn number(text: &str, (unit, scale): (&str, f64)) -> Option<f64> {
    let digits = text.strip_suffix(unit)?.trim_end();
    digits.parse::<f64>().ok().map(|n| n * scale).filter(|n| n.is_finite() && *n >= 0.0)
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rtt = (!self.rtt.is_zero()).then(|| format!("{}ms", self.rtt.as_nanos() as f64 / 1e6));
        let rate = self.bits_per_second.map(|b| match b {
            1e9.. => format!("{}Gbps", b / 1e9),
            1e6.. => format!("{}Mbps", b / 1e6),
            _ => format!("{}kbps", b / 1e3),
        });
        match (rtt, rate) {
            (None, None) => f.write_str("local"),
            (Some(one), None) | (None, Some(one)) => f.write_str(&one),
            (Some(rtt), Some(rate)) => write!(f, "{rtt},{rate}"),
        }
    }
}

/// A network whose links have a [`Profile`]. Both ends of every link must be decorated.
pub struct Shaped<N> {
    net: N,
    profile: Profile,
    /// When each outgoing link has sent what it was given, since 1970.
    free: Mutex<[Duration; 3]>,
}

/// `net`, with the delay and bandwidth of these links where there are some.
///
/// # Errors
/// [`ProfileError`]: the text is no [`Profile`].
pub fn over(net: Box<dyn Net>, links: Option<&str>) -> std::result::Result<Box<dyn Net>, ProfileError> {
    Ok(match links {
        Some(links) => Box::new(Shaped::new(net, links.parse()?)),
        None => net,
    })
}

impl<N: Net> Shaped<N> {
    /// `net` with the delay and bandwidth of `profile`.
    pub fn new(net: N, profile: Profile) -> Shaped<N> {
        Shaped { net, profile, free: Mutex::default() }
    }
}

impl<N: Net> Net for Shaped<N> {
    fn send(&self, to: Id, mut frame: Frame) -> Result<()> {
        let seconds = self.profile.bits_per_second.map_or(0.0, |rate| frame.payload() as f64 * 8.0 / rate);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = &mut free[to.index()];
        // A rate so low that the time is no `Duration` is refused by the receiver as too far ahead.
        *free = (*free).max(now()).saturating_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        let due = free.saturating_add(self.profile.rtt / 2);
        frame.parts.push(Part::words(&[u64::try_from(due.as_nanos()).unwrap_or(u64::MAX)]));
        self.net.send(to, frame)
    }

    fn recv(&self, from: Id) -> Result<Frame> {
        let mut frame = self.net.recv(from)?;
        let bad = |found: String, expected: &str| Error::Frame {
            peer: from,
            what: "time of arrival",
            found,
            expected: expected.to_owned(),
        };
        let stamp = frame.parts.pop().and_then(|p| p.to_words(1).ok());
        let Some(&[due]) = stamp.as_deref() else {
            return Err(bad("none".to_owned(), "one (the peer's network is not shaped)"));
        };
        let wait = Duration::from_nanos(due).saturating_sub(now());
        if wait > FAR {
            return Err(bad(format!("{} s ahead", wait.as_secs()), "at most an hour"));
        }
        thread::sleep(wait);
        Ok(frame)
    }

    fn stop(&self) {
        self.net.stop();
    }

    fn wire_bytes(&self, to: Id) -> u64 {
        self.net.wire_bytes(to)
    }

    fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.net.peak_queued(peer)
    }
}

/// The time that processes of one machine agree on.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, local};
    use std::time::Instant;

    fn frame(bytes: usize) -> Frame {
        Frame { at: At::default(), depth: 0, label: "t".into(), parts: vec![Part::words(&vec![1; bytes / 8])] }
    }

    #[test]
    fn profiles() {
        for (text, shown) in [
            ("local", "local"),
            ("40ms,100Mbps", "40ms,100Mbps"),
            ("100 mbps , 40ms", "40ms,100Mbps"),
            ("lan", "0.2ms,10Gbps"),
            ("wan", "40ms,100Mbps"),
            ("1.5s", "1500ms"),
            ("64kbps", "64kbps"),
        ] {
            let profile: Profile = text.parse().unwrap();
            assert_eq!(profile.to_string(), shown);
            assert_eq!(shown.parse::<Profile>().unwrap(), profile);
        }
        for bad in ["", "40", "ms", "-1ms", "0Mbps", "40ms,40ms", "nanms", "infMbps", "1e9s", "local,1ms", "40ms,"] {
            let e = bad.parse::<Profile>().unwrap_err().to_string();
            assert!(e.contains("40ms, 1s"), "{e}");
        }
    }

    #[test]
    fn delay_overlaps_and_bandwidth_adds_up() {
        let profile = "200ms,8Mbps".parse().unwrap();
        let [a, b, _] = local::network(Duration::from_secs(5)).map(|net| Shaped::new(net, profile));
        let start = Instant::now();
        for _ in 0..3 {
            a.send(Id::P1, frame(20_000)).unwrap(); // 20 ms of link each
        }
        assert!(start.elapsed() < Duration::from_millis(50), "send blocks");
        for arrival in [120, 140, 160] {
            assert_eq!(b.recv(Id::P0).unwrap(), frame(20_000));
            let late = start.elapsed().as_secs_f64() * 1e3 - f64::from(arrival);
            assert!((-1.0..150.0).contains(&late), "{arrival} ms: {late} ms late");
        }
    }

    #[test]
    fn an_end_that_is_not_shaped_is_noticed() {
        let [a, b, _] = local::network(Duration::from_secs(5));
        let b = Shaped::new(b, Profile::default());
        a.send(Id::P1, Frame { parts: vec![], ..frame(0) }).unwrap();
        assert!(b.recv(Id::P0).unwrap_err().to_string().contains("not shaped"));
        a.send(Id::P1, Frame { parts: vec![Part::words(&[u64::MAX])], ..frame(0) }).unwrap();
        assert!(b.recv(Id::P0).unwrap_err().to_string().contains("at most an hour"));
    }
}
