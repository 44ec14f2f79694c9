//! Check 17, at the protocols: a frame that is not what the protocol says is an error of one line that names step, operation, label,
//! peer, what was found and what was expected; never a short tensor, a value outside of its ring, or a hang.

use crate::common::liar;
use trefoil_mpc::securenn::{Share, drelu, private_compare, share, truncate};
use trefoil_mpc::{Id, Part, Party, Result};
use trefoil_net::{Frame, Ring};

/// The error of `to`, where `from` lies about one frame of a SecureNN protocol on 64 elements.
fn error(
    from: Id,
    to: Id,
    label: &'static str,
    lie: fn(&mut Frame),
    run: impl Fn(&mut Party, &Share) -> Result<()> + Sync,
) -> String {
    liar::error(from, to, label, lie, |p| {
        let x = Share::from_words([1, 64], (p.id != Id::P2).then(|| vec![5; 64]));
        run(p, &x)
    })
}

fn open(p: &mut Party, x: &Share) -> Result<()> {
    share::reconstruct(p, x).map(drop)
}

fn compare(p: &mut Party, x: &Share) -> Result<()> {
    drelu::drelu(p, x).map(drop)
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
    let wrong = error(Id::P2, Id::P1, "securenn.share_convert.deal", |f| f.parts.push(Part::words(&[1])), compare);
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
        let wrong = error(from, to, label, residues, compare);
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
        let wrong = error(from, to, label, odd, compare);
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
    let wrong = error(Id::P1, Id::P0, "never", |_| {}, |p, x| if p.id == Id::P1 { Ok(()) } else { compare(p, x) });
    assert!(wrong.contains("securenn.") && (wrong.contains("P1: ") || wrong.contains("P2: ")), "{wrong}");
}

mod of_masked {
    use super::{liar, replace};
    use crate::common::masked_programs::dealt;
    use trefoil_engine::Kind;
    use trefoil_mpc::masked::{Share, drelu, product, select, share, truncate};
    use trefoil_mpc::{Id, Part, Party, Result};
    use trefoil_net::Frame;
    use trefoil_ring::Tensor;

    const N: usize = 64;

    fn error(from: Id, to: Id, label: &'static str, lie: fn(&mut Frame)) -> String {
        liar::error(from, to, label, lie, layer)
    }

    /// Every protocol once: a product, a comparison that lifts it, a Select, a truncation alone, an opening.
    fn layer(p: &mut Party) -> Result<()> {
        let x: Share = dealt(p, &Tensor::from_elem((1, N), 5), 1);
        let z = product::products(
            p,
            &[product::Factors { kind: Kind::Mul, x: &x, y: &x, scatter: None, known: 64, plus: None, shape: x.shape, f: 16 }],
        )?;
        let bit = drelu::drelu(p, &[(&z[0], 20)], &[])?;
        let y = select::select(p, &[(&bit[0], &z[0])])?;
        let y = truncate::truncate(p, &[(&y[0], 9)])?;
        share::reconstruct(p, &y[0]).map(drop)
    }

    /// Each message of the layer: who sends it to whom, its label, and its tensors.
    const MESSAGES: [(Id, Id, &str, &[&str]); 17] = [
        (Id::P2, Id::P0, "masked.product.deal", &["64 x 16 bits", "64 x 16 bits"]),
        (Id::P2, Id::P1, "masked.product.deal", &["64 x Z_2^64"]),
        (Id::P0, Id::P1, "masked.product.c", &["64 x 48 bits"]),
        (Id::P1, Id::P0, "masked.product.c", &["64 x 48 bits"]),
        // 19 bits, few numbers: four chunks of 16 words and one of 8, joined at once.
        (Id::P2, Id::P0, "masked.drelu.deal", &["72 x Z_2^64"]),
        (Id::P0, Id::P1, "masked.drelu.open", &["9 x Z_2^64", "64 x 16 bits"]),
        (Id::P1, Id::P0, "masked.drelu.open", &["9 x Z_2^64", "64 x 16 bits"]),
        (Id::P2, Id::P1, "masked.and.deal", &["37 x Z_2^64"]),
        (Id::P0, Id::P1, "masked.and.open", &["1 x Z_2^64"]),
        (Id::P2, Id::P0, "masked.select.deal", &["64 x Z_2^64"]),
        (Id::P2, Id::P1, "masked.select.deal", &["64 x Z_2^64"]),
        (Id::P1, Id::P0, "masked.select.open", &["64 x Z_2^64"]),
        (Id::P2, Id::P0, "masked.truncate.deal", &["64 x 9 bits"]),
        (Id::P2, Id::P1, "masked.truncate.deal", &["64 x Z_2^64"]),
        (Id::P0, Id::P1, "masked.lift", &["64 x 9 bits"]),
        (Id::P1, Id::P0, "masked.lift", &["64 x 9 bits"]),
        (Id::P1, Id::P0, "masked.share.open", &["64 x Z_2^64"]),
    ];

    #[test]
    fn every_message_is_checked() {
        assert_eq!(error(Id::P1, Id::P0, "never", |_| {}), "no error");
        for (from, to, label, parts) in MESSAGES {
            let wrong = error(from, to, label, |f| f.label = "another".into());
            assert!(wrong.contains(&format!("{label}: {from} sent message another of step 0, operation ")), "{wrong}");
            let wrong = error(from, to, label, |f| f.at.op += 1);
            assert!(wrong.contains(&format!("{label}: {from} sent message {label} of step 0, operation ")), "{wrong}");
            let wrong = error(from, to, label, |f| f.parts.clear());
            assert!(wrong.contains(&format!("{label}: {from} sent tensors too few, expected one more")), "{wrong}");
            let wrong = error(from, to, label, |f| f.parts.push(Part::words(&[1])));
            if label == "masked.share.open" {
                // The last message: nothing follows that could report it.
                assert_eq!(wrong, "no error");
            } else {
                assert!(wrong.contains(&format!("{label}: {from} sent tensors 1 too many, expected none")), "{wrong}");
            }
            let lies: [fn(&mut Frame); 3] = [
                |f| replace(f, 0, Part::words(&[])),
                |f| replace(f, 0, Part::odds(&[7; N])),
                |f| {
                    let last = f.parts.len() - 1;
                    replace(f, last, Part::bits(&[0; N], 13));
                },
            ];
            for (lie, expected) in lies.into_iter().zip([parts[0], parts[0], parts[parts.len() - 1]]) {
                let wrong = error(from, to, label, lie);
                let start = format!("{label}: {from} sent a tensor: ");
                assert!(wrong.contains(&start) && wrong.ends_with(&format!(", expected {expected}")), "{wrong}");
            }
        }
    }

    #[test]
    fn a_party_that_ends_early_is_named() {
        let ends = |p: &mut Party| if p.id == Id::P1 { Ok(()) } else { layer(p) };
        let wrong = liar::error(Id::P1, Id::P0, "never", |_| {}, ends);
        assert!(wrong.contains("masked.") && wrong.contains("P1: "), "{wrong}");
        let ends = |p: &mut Party| if p.id == Id::P2 { Ok(()) } else { layer(p) };
        let wrong = liar::error(Id::P2, Id::P1, "never", |_| {}, ends);
        assert!(wrong.contains("masked.product.deal") && wrong.contains("P2: "), "{wrong}");
    }
}
