//! A party that sends one frame which is not what the protocol says.

use std::sync::Mutex;
use std::time::Duration;
use trefoil_mpc::{Error, Id, Party, Result, Seeds, simulate_over};
use trefoil_net::{Frame, Net, local};

/// A network that changes one frame: the first that it sends to `to` under `label`.
struct Liar<N> {
    net: N,
    to: Id,
    label: &'static str,
    lie: Mutex<Option<fn(&mut Frame)>>,
}

impl<N: Net> Net for Liar<N> {
    fn send(&self, to: Id, mut frame: Frame) -> trefoil_net::Result<()> {
        if to == self.to && frame.label == self.label {
            self.lie.lock().unwrap().take().into_iter().for_each(|lie| lie(&mut frame));
        }
        self.net.send(to, frame)
    }
    fn recv(&self, from: Id) -> trefoil_net::Result<Frame> {
        self.net.recv(from)
    }
}

/// The error of `to`, where `from` lies about one frame.
pub fn error(
    from: Id,
    to: Id,
    label: &'static str,
    lie: fn(&mut Frame),
    run: impl Fn(&mut Party) -> Result<()> + Sync,
) -> String {
    let mut ids = Id::ALL.into_iter();
    let nets = local::network(Duration::from_secs(5)).map(|net| {
        let lie = Mutex::new((ids.next() == Some(from)).then_some(lie));
        Liar { net, to, label, lie }
    });
    let ends = simulate_over::<_, _, Error>(nets, |id| Seeds::insecure(id, 1), run);
    let end = ends.into_iter().nth(to.index()).unwrap();
    let text = end.err().map(|e| e.to_string()).unwrap_or_else(|| "no error".into());
    assert!(!text.contains('\n'));
    text
}
