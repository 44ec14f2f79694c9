//! What is approved: the hash of a job's canonical text, which anybody can write down and hash again (docs/jobs.md has the rules).

use super::Job;
use crate::{Error, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trefoil_client::JobHash;

/// The version of what a job's fields mean. **Raise it with every change after which a job with the same fields would have something
/// else done**: a field with another meaning, another default or unit, other words for what is opened and to whom. It is under every
/// job's hash, so that an approval given to the old meaning is none of the new one.
pub const SEMANTICS: u32 = 6;

impl Job {
    /// SHA-256 of the [canonical text](Job::canonical): what is approved.
    pub fn hash(&self) -> JobHash {
        JobHash(Sha256::digest(self.canonical()).into())
    }

    /// What is hashed: a line with a tag and the version of the meaning, then the job with all defaults and without addresses as
    /// RFC 8785 writes JSON.
    pub fn canonical(&self) -> String {
        canonical("job", SEMANTICS, &self.without_addresses())
    }

    /// That this job is the one that goes by `hash`.
    ///
    /// # Errors
    /// It is another.
    pub fn is_the_one(&self, hash: JobHash) -> Result<()> {
        let found = self.hash();
        match found == hash {
            true => Ok(()),
            false => Err(Error::config(format!("job {hash} as it is stored here"), format!("the hash {found}"), hash)),
        }
    }

    /// A server may move without a new job.
    pub(super) fn without_addresses(&self) -> Job {
        let mut job = self.clone();
        job.party.iter_mut().chain(&mut job.model_owner).for_each(|m| m.address = None);
        job.owner.iter_mut().for_each(|o| o.address = None);
        job.serve.iter_mut().for_each(|serve| serve.client.forget_addresses());
        job
    }
}

/// A line that says what it is, and in which version of its meaning; then all of it, as RFC 8785 writes JSON.
pub fn canonical(what: &str, semantics: u32, value: &impl serde::Serialize) -> String {
    let mut text = format!("trefoil {what} {semantics}\n");
    write(&serde_json::to_value(value).unwrap_or_default(), &mut text);
    text
}

/// JSON as RFC 8785 has it, but for integers above 2^53, which have all of their digits. A field that is not set is left out. Names of fields are ASCII, so that their order
/// by bytes is the standard's; and the crate that writes texts escapes what the standard does, in its way.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, value)) in fields.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(&Value::String(name.clone()), out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Value::Number(n) if n.is_f64() => out.push_str(&number(n.as_f64().unwrap_or_default())),
        other => out.push_str(&other.to_string()),
    }
}

/// A number as ECMAScript writes it: the fewest digits that stand for it, with an exponent where it is below 1e-6 or from 1e21 on.
fn number(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    // The crate that writes JSON has the standard's digits, of two that are equally near the even one; only their form is another.
    let text = serde_json::to_string(&x.abs()).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{part}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0').to_owned();
    // The number is 0.digits times ten to the power of this.
    let point = whole.len() as i32 - zeros as i32 + exponent.parse::<i32>().unwrap_or_default();
    let k = digits.len() as i32;
    let sign = if x < 0.0 { "-" } else { "" };
    let body = match point {
        n if k <= n && n <= 21 => digits + &"0".repeat((n - k) as usize),
        n if 0 < n && n <= 21 => format!("{}.{}", &digits[..n as usize], &digits[n as usize..]),
        n if -6 < n && n <= 0 => format!("0.{}{digits}", "0".repeat(-n as usize)),
        n => {
            let point = if k > 1 { "." } else { "" };
            format!("{}{point}{}e{:+}", &digits[..1], &digits[1..], n - 1)
        }
    };
    format!("{sign}{body}")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::job::Owner;
    use trefoil_client::peers::Peers;
    use trefoil_net::identity::Fingerprint;

    /// A regression's, of one owner.
    pub const JOB: &str = r#"
        name = "hours, \"traffic\" \\ café"
        party = [
          { name = "p0", address = "a:1", fingerprint = "0000000000000000000000000000000000000000000000000000000000000000" },
          { name = "p1", address = "b:1", fingerprint = "0101010101010101010101010101010101010101010101010101010101010101" },
          { name = "p2", address = "c:1", fingerprint = "0202020202020202020202020202020202020202020202020202020202020202" },
        ]
        owner = [{ name = "o", fingerprint = "0303030303030303030303030303030303030303030303030303030303030303" }]
        model_owner = { name = "m", fingerprint = "0404040404040404040404040404040404040404040404040404040404040404" }
        [data]
        task = "regression"
        label = "y"
        target = { mean = 1e-7, deviation = 2.5 }
        columns = [{ kind = "range", name = "x", min = -3, max = 12 }]
        [train]
        seed = 9223372036854775807
    "#;

    fn job() -> Job {
        Job::parse(JOB, "job.toml", &Peers::default()).unwrap()
    }

    /// The whole text, as docs/jobs.md says that it is. A change here is a change of every job's hash: see [`SEMANTICS`].
    #[test]
    fn the_text_that_is_hashed() {
        let text = job().canonical();
        let (head, body) = text.split_once('\n').unwrap();
        assert_eq!(head, "trefoil job 6");
        let open = serde_json::to_string(&serde_json::to_value(job().open).unwrap()).unwrap();
        let expected = r#"{"checkpoint":{"steps":100},"data":{"classes":[],"columns":[{"kind":"range","max":12,"min":-3,"name":"x"}],"holdout":5,"label":"y","partition":"horizontal","target":{"deviation":2.5,"mean":1e-7},"task":"regression"},"model_owner":{"fingerprint":"0404040404040404040404040404040404040404040404040404040404040404","name":"m"},"name":"hours, \"traffic\" \\ café","open":OPEN,"owner":[{"fingerprint":"0303030303030303030303030303030303030303030303030303030303030303","name":"o"}],"party":[{"fingerprint":"0000000000000000000000000000000000000000000000000000000000000000","name":"p0"},{"fingerprint":"0101010101010101010101010101010101010101010101010101010101010101","name":"p1"},{"fingerprint":"0202020202020202020202020202020202020202020202020202020202020202","name":"p2"}],"start":"ready","suite":"masked","train":{"batch":32,"epochs":10,"hidden":[16],"init":"he","lr":0.05,"lr_schedule":"cosine","momentum":0.9,"seed":9223372036854775807,"softmax":"exact"},"truncation":"dealer"}"#;
        assert_eq!(body, expected.replace("OPEN", &open));
        assert_eq!(job().hash().to_string(), hex::encode(Sha256::digest(text)));
    }

    #[test]
    fn addresses_are_not_in_it_and_all_else_is() {
        let (job, hash) = (job(), job().hash());
        let mut moved = job.clone();
        moved.party[1].address = Some("elsewhere:9".into());
        moved.owner[0].address = Some("nowhere:9".into());
        assert_eq!(moved.hash(), hash);
        moved.is_the_one(hash).unwrap();
        type Change = fn(&mut Job);
        let changes: [Change; 7] = [
            |j| j.name.push('!'),
            |j| j.train.seed -= 1,
            |j| j.train.lr += f64::EPSILON,
            |j| j.model_owner.iter_mut().for_each(|m| m.fingerprint = Fingerprint([9; 32])),
            |j| j.model_owner = None,
            |j| j.party.swap(0, 1),
            |j| j.owner.push(Owner { fingerprint: Fingerprint([9; 32]), ..j.owner[0].clone() }),
        ];
        for change in changes {
            let mut other = job.clone();
            change(&mut other);
            let e = other.is_the_one(hash).unwrap_err().to_string();
            assert_eq!(e, format!("job {hash} as it is stored here: found the hash {}, expected {hash}", other.hash()));
        }
    }

    /// Numbers that JSON cannot hold would all be the same null.
    #[test]
    fn numbers_without_a_text_are_refused() {
        for number in ["inf", "-inf", "nan"] {
            for (field, text) in [("lr", "seed = 1\n lr = "), ("mean", "mean = "), ("min", "min = ")] {
                let old = match field {
                    "lr" => "seed = 9223372036854775807".to_owned(),
                    "mean" => "mean = 1e-7".to_owned(),
                    _ => "min = -3".to_owned(),
                };
                let altered = JOB.replace(&old, &format!("{text}{number}"));
                assert_ne!(altered, JOB);
                assert!(Job::parse(&altered, "job.toml", &Peers::default()).is_err(), "{field} = {number}");
            }
        }
    }

    /// RFC 8785, appendix B.
    #[test]
    fn numbers_of_the_standard() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(number(f64::from_bits(bits)), expected);
        }
    }
}
