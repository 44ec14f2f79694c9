//! Who may see the page: whoever has the link that its operator was given. The link works once, and soon or never. It is exchanged for a cookie that
//! scripts cannot read and other sites cannot send; what is kept of either is a hash.

use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A link is good for so long.
pub const LINK: Duration = Duration::from_secs(15 * 60);

/// A cookie is good for so long.
pub const SESSION: Duration = Duration::from_secs(12 * 3600);

/// Links that are out at a time.
const MOST_LINKS: usize = 4;

/// Browsers at a time; the one that came first goes when there is one more.
const MOST: usize = 16;

type Hash = [u8; 32];

/// The links that are out, and the cookies that are.
pub struct Door {
    /// The cookie's: those of several pages on one machine share a browser, which does not tell ports apart.
    name: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    links: VecDeque<(Hash, Instant)>,
    sessions: VecDeque<(Hash, Instant)>,
}

impl Door {
    /// A door that nobody has a link for.
    ///
    /// # Errors
    /// No randomness.
    pub fn new() -> Result<Door, getrandom::Error> {
        let mut suffix = [0; 4];
        getrandom::fill(&mut suffix)?;
        Ok(Door { name: format!("trefoil-{}", hex::encode(suffix)), kept: Mutex::default() })
    }

    /// The secret of a fresh link. Of earlier ones that nobody has used the last few remain good.
    ///
    /// # Errors
    /// No randomness.
    pub fn link(&self) -> Result<String, getrandom::Error> {
        let (secret, hash) = secret()?;
        let mut kept = self.kept();
        kept.links.push_back((hash, Instant::now()));
        if kept.links.len() > MOST_LINKS {
            kept.links.pop_front();
        }
        Ok(secret)
    }

    /// Takes a link's secret, once: the cookie, as a response sets it.
    pub(crate) fn enter(&self, link: &str) -> Option<String> {
        self.enter_at(link, Instant::now())
    }

    /// Whether a request's `Cookie` is one that was given out.
    pub(crate) fn knows(&self, cookies: &str) -> bool {
        self.knows_at(cookies, Instant::now())
    }

    fn enter_at(&self, link: &str, now: Instant) -> Option<String> {
        let mut kept = self.kept();
        let hash = of(link);
        let at = kept.links.iter().position(|(known, _)| *known == hash)?;
        let (_, since) = kept.links.remove(at)?;
        // Without randomness nobody comes in.
        let (value, hash) = secret().ok().filter(|_| now.duration_since(since) < LINK)?;
        kept.sessions.push_back((hash, now));
        if kept.sessions.len() > MOST {
            kept.sessions.pop_front();
        }
        Some(format!("{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}", self.name, SESSION.as_secs()))
    }

    fn knows_at(&self, cookies: &str, now: Instant) -> bool {
        let own = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('=')).filter(|(name, _)| *name == self.name);
        let mut kept = self.kept();
        kept.sessions.retain(|(_, since)| now.duration_since(*since) < SESSION);
        own.map(|(_, value)| of(value)).any(|hash| kept.sessions.iter().any(|(known, _)| *known == hash))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits in hex, and their hash.
fn secret() -> Result<(String, Hash), getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let text = hex::encode(bytes);
    let hash = of(&text);
    Ok((text, hash))
}

fn of(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_and_soon() {
        let (door, now) = (Door::new().unwrap(), Instant::now());
        assert!(door.enter("").is_none());
        let void = door.link().unwrap();
        let others = [(); MOST_LINKS].map(|()| door.link().unwrap());
        let (other, link) = (&others[0], &others[MOST_LINKS - 1]);
        assert!(door.enter(&void).is_none() && door.enter(&link[1..]).is_none() && door.enter(other).is_some());
        let (door, link) = (&door, link.as_str());
        let cookie = door.enter(link).unwrap();
        assert!(door.enter(link).is_none());
        let sent = cookie.split(';').next().unwrap();
        assert!(door.knows(sent) && door.knows(&format!("other=1; {sent}")));
        let value = sent.split_once('=').unwrap().1;
        assert_eq!(value.len(), 64);
        for none in ["", "other=1", &format!("other={value}"), &sent[..sent.len() - 1], &format!("{sent}0")] {
            assert!(!door.knows(none), "{none}");
        }
        assert!(!Door::new().unwrap().knows(sent));
        let late = door.link().unwrap();
        assert!(door.enter_at(&late, now + LINK + Duration::from_secs(1)).is_none() && door.enter(&late).is_none());
        assert!(!door.knows_at(sent, now + SESSION + Duration::from_secs(60)) && !door.knows(sent));
    }

    #[test]
    fn cookies_are_few() {
        let door = Door::new().unwrap();
        let enter = |_| door.enter(&door.link().unwrap()).unwrap();
        let cookies: Vec<String> = (0..MOST + 1).map(enter).collect();
        let known: Vec<bool> = cookies.iter().map(|cookie| door.knows(cookie.split(';').next().unwrap())).collect();
        assert_eq!(known.iter().filter(|known| **known).count(), MOST);
        assert!(!known[0]);
    }
}
