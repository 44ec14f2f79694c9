//! Check 17, at the protocols: a frame that is not what the protocol says is an error of one line that names step, operation, label,
//! peer, what was found and what was expected; never a short tensor, a value outside of its ring, or a hang.

use std::time::Duration;
use trefoil_mpc::securenn::{Share, private_compare, relu, share, truncate};
use trefoil_mpc::{Error, Id, Part, Party, Result, Seeds, simulate_over};
use trefoil_net::{Frame, Net, Ring, local};

/// A network that changes one frame: the first that it sends to `to` under `label`.
struct Liar<N> {
    net: N,
    to: Id,
    label: &'static str,
    lie: Option<fn(&mut Frame)>,
}

impl<N: Net> Net for Liar<N> {
    fn send(&mut self, to: Id, mut frame: Frame) -> trefoil_net::Result<()> {
        if to == self.to && frame.label == self.label {
            self.lie.take().into_iter().for_each(|lie| lie(&mut frame));
        }
        self.net.send(to, frame)
    }
    fn recv(&mut self, from: Id) -> trefoil_net::Result<Frame> {
        self.net.recv(from)
    }
}

/// The error of `to`, where `from` lies about one frame.
fn error(
    from: Id,
    to: Id,
    label: &'static str,
    lie: fn(&mut Frame),
    run: impl Fn(&mut Party, &Share) -> Result<()> + Sync,
) -> String {
    let mut ids = Id::ALL.into_iter();
    let nets = local::network(Duration::from_secs(5)).map(|net| {
        let lie = (ids.next() == Some(from)).then_some(lie);
        Liar { net, to, label, lie }
    });
    let ends = simulate_over::<_, _, Error>(
        nets,
        |id| Seeds::insecure(id, 1),
        |p| {
            let x = Share::from_words([1, 64], (p.id != Id::P2).then(|| vec![5; 64]));
            run(p, &x)
        },
    );
    let end = ends.into_iter().nth(to.index()).unwrap();
    let text = end.err().map(|e| e.to_string()).unwrap_or_else(|| "no error".into());
    assert!(!text.contains('\n'));
    text
}

fn open(p: &mut Party, x: &Share) -> Result<()> {
    share::reconstruct(p, x).map(drop)
}

fn relu(p: &mut Party, x: &Share) -> Result<()> {
    relu::relu(p, x).map(drop)
}

/// The same tensors with part `place` replaced.
fn replace(frame: &mut Frame, place: usize, part: Part) {
    frame.parts[place] = part;
}

#[test]
fn a_wrong_label_step_or_operation_is_named() {
    let label = "securenn.share.open";
    let wrong = error(Id::P1, Id::P0, label, |f| f.label = "something.else".into(), open);
    let expected = "expected securenn.share.open of step 0, operation 1";
    let start = "step 0, operation 1, securenn.share.open: P1 sent message";
    assert_eq!(wrong, format!("{start} something.else of step 0, operation 1, {expected}"));
    let wrong = error(Id::P1, Id::P0, label, |f| f.at.op = 7, open);
    assert_eq!(wrong, format!("{start} securenn.share.open of step 0, operation 7, {expected}"));
    let wrong = error(Id::P1, Id::P0, label, |f| f.at.step = 3, open);
    assert_eq!(wrong, format!("{start} securenn.share.open of step 3, operation 1, {expected}"));
}

#[test]
fn a_truncated_or_foreign_tensor_is_named() {
    let label = "securenn.share.open";
    for lie in [|f: &mut Frame| replace(f, 0, Part::words(&[0; 63])), |f: &mut Frame| replace(f, 0, Part::odds(&[0; 64]))] {
        let wrong = error(Id::P0, Id::P1, label, lie, open);
        assert!(wrong.starts_with("step 0, operation 1, securenn.share.open: P0 sent a tensor: 6"), "{wrong}");
        assert!(
            wrong.ends_with("63 x Z_2^64, expected 64 x Z_2^64") || wrong.ends_with("64 x Z_(2^64-1), expected 64 x Z_2^64"),
            "{wrong}"
        );
    }
    let wrong = error(Id::P0, Id::P1, label, |f| f.parts.clear(), open);
    assert!(wrong.contains("P0 sent tensors too few, expected one more"), "{wrong}");
}

#[test]
fn a_tensor_too_many_is_an_error_of_the_next_round() {
    let wrong = error(Id::P2, Id::P1, "securenn.share_convert.deal", |f| f.parts.push(Part::words(&[1])), relu);
    assert!(wrong.contains("securenn.share_convert.deal: P2 sent tensors 1 too many, expected none"), "{wrong}");
    let wrong = error(
        Id::P1,
        Id::P0,
        "securenn.share.open",
        |f| f.parts.push(Part::words(&[1])),
        |p, x| {
            open(p, x)?;
            open(p, x)
        },
    );
    assert!(wrong.contains("securenn.share.open: P1 sent tensors 1 too many, expected none"), "{wrong}");
}

#[test]
fn a_value_outside_of_its_ring_is_named() {
    // Residue 67 as the third of the 7-bit values, and all ones as a value of Z_(2^64-1).
    let residues = |f: &mut Frame| {
        let mut bytes = f.parts[0].bytes().to_vec();
        let mut low = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        low = low & !(127 << 14) | 67 << 14;
        bytes[..4].copy_from_slice(&low.to_le_bytes());
        let n = private_compare::residues(64) as u64;
        replace(f, 0, Part::from_wire(Ring::Residue, n, bytes).unwrap());
    };
    for (from, to, label) in [
        (Id::P0, Id::P2, "securenn.private_compare.d"),
        (Id::P1, Id::P2, "securenn.private_compare.d"),
        (Id::P2, Id::P1, "securenn.share_convert.deal"),
        (Id::P2, Id::P1, "securenn.compute_msb.bits"),
    ] {
        let wrong = error(from, to, label, residues, relu);
        assert!(
            wrong.contains(&format!("{label}: {from} sent")) && wrong.contains("value 2 is 67, expected less than 67"),
            "{wrong}"
        );
    }
    let odd = |f: &mut Frame| {
        let place = f.parts.len() - 1;
        replace(f, place, Part::odds(&[u64::MAX; 64]));
    };
    for (from, to, label) in [
        (Id::P2, Id::P1, "securenn.share_convert.deal"),
        (Id::P2, Id::P1, "securenn.share_convert.eta"),
        (Id::P1, Id::P0, "securenn.compute_msb.r"),
    ] {
        let wrong = error(from, to, label, odd, relu);
        assert!(wrong.contains(&format!("{label}: {from} sent")) && wrong.contains("element 0 is not below 2^64-1"), "{wrong}");
    }
}

#[test]
fn padding_and_bits_are_checked() {
    let wrong = error(
        Id::P2,
        Id::P1,
        "securenn.truncate.deal",
        |f| replace(f, 1, Part::bits(&[0; 64], 15)),
        |p, x| truncate::truncate(p, &[(x, 16)]).map(drop),
    );
    assert!(wrong.contains("securenn.truncate.deal: P2 sent a tensor: 64 x 15 bits, expected 64 x 16 bits"), "{wrong}");
}

#[test]
fn a_party_that_ends_early_is_named() {
    let wrong = error(Id::P1, Id::P0, "never", |_| {}, |p, x| if p.id == Id::P1 { Ok(()) } else { relu(p, x) });
    assert!(wrong.contains("securenn.") && (wrong.contains("P1: ") || wrong.contains("P2: ")), "{wrong}");
}
