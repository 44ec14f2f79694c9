//! The report of a run folder that somebody else has written.

#![allow(clippy::unwrap_used, clippy::panic)]

use base64::Engine as _;
use ndarray::Array2;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trefoil_lab::demo::PIXELS;
use trefoil_lab::report::held_out::{BINS, Bin, Image, Wrong};
use trefoil_lab::report::{HeldOut, page};
use trefoil_nn::{Graph, Model};

const HOSTILE: &str = "\"><img src=http://evil.example/a onerror=alert(1)><script>alert(2)</script>&\u{202e}";

fn summary(dataset: &str) -> Value {
    let by_party = json!({ "P0": 10, "P1": 20, "P2": 30 });
    json!({
        "suite": "masked", "network": "16-4-2", "links": "local", "dataset": dataset, "train_rows": 1437, "test_rows": 4, "owners": 3,
        "train": trefoil_nn::TrainSpec::default(), "steps": 3, "seconds_per_step_median": 0.02, "seconds_total": 2.0,
        "seconds_sharing": 0.5, "seconds_float": 0.1, "bytes_per_step": 1000, "bytes_sent": by_party, "wire_bytes_sent": by_party,
        "bytes_by_link_per_step": {}, "rounds_per_step": 45.0, "secure_test_accuracy": 0.75, "model_test_accuracy": 0.75,
        "float_test_accuracy": 0.5, "secure_loss": 0.1, "float_loss": 0.1, "max_weight_difference": 0.001, "fraction_bits": 16,
        "truncation": "exact", "expected_wraps": 0.0, "peak_rss_bytes": by_party, "threads": 1,
        "masks": "from the operating system", "machine": "a machine", "version": "0.1.0"
    })
}

fn held_out(class: &str) -> HeldOut {
    let image = Image { width: 4, height: 4, levels: "AAECAwQFBgcICQoLDA0O/w==".into() };
    let mut confidence = vec![Bin::default(); BINS];
    confidence[9] = Bin { records: 4, right: 3, mean: 0.95 };
    HeldOut {
        classes: vec!["no".into(), class.into()],
        counts: vec![vec![2, 1], vec![0, 1]],
        confidence,
        wrong: vec![Wrong { class: 0, taken_for: 1, probability: 0.97, image: Some(image) }],
    }
}

/// A run folder with all that a report can show, in which texts are hostile.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("summary.json", &summary(HOSTILE).to_string());
    put("held_out.json", &serde_json::to_string(&held_out(HOSTILE)).unwrap());
    put("config.toml", "# </pre><script>alert(3)</script>\n");
    put(
        "metrics.jsonl",
        "{\"event\":\"step\",\"step\":1,\"seconds\":0.02,\"bytes\":5,\"rounds\":45}\n\
         {\"event\":\"step\",\"step\":2,\"seconds\":0.03,\"bytes\":5,\"rounds\":45}\n\
         {\"event\":\"epoch\",\"epoch\":1,\"step\":2,\"loss\":0.4,\"metric\":0.75}\n\
         {\"event\":\"float_epoch\",\"epoch\":1,\"loss\":0.41,\"metric\":0.5}\n",
    );
    put(
        "cost.csv",
        "layer,label,rounds,payload_bytes,messages,seconds\nfc1,masked.product.c,2,4096,4,0.5\n\
         <b>,masked.drelu.x,3,1024,4,0.25\nloss,masked.share.open,1,32,4,0.01\n",
    );
    let report = |id: &str, chi: f64| {
        json!({ "id": id, "step_bytes": [0, 1, 2], "step_rounds": 45, "sent": [0, 1, 2], "wire": [0, 1, 2], "cost": [],
            "from_owners": 7, "frames_seen": 8, "bytes_seen": 9, "chi_square": chi, "opened": 2, "peak_rss": 1 << 20 })
    };
    put("parties.json", &json!([report("P0", 250.0), report("P1", 9999.0), report("P2", 255.0)]).to_string());
    let params = [[4, 16], [1, 4], [2, 4], [1, 2]].map(|[n, m]| Array2::from_shape_fn((n, m), |(i, j)| i as f64 - j as f64));
    Model::new(&Graph::perceptron(&[16, 4, 2]), &params, PIXELS).unwrap().save(&dir.path().join("model.safetensors")).unwrap();
    dir
}

/// Every element is closed by its own end, and in its place.
fn well_formed(page: &str) {
    let mut open: Vec<&str> = vec![];
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {tag}"));
        let name = tag.split([' ', '/', '\n']).next().unwrap();
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closed by </{name}>"),
            None if tag.ends_with('/') || ["!doctype", "meta", "img"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn all_of_a_run_is_on_a_page_that_asks_for_nothing_and_runs_nothing() {
    let dir = folder();
    let page = page(dir.path()).unwrap();
    well_formed(&page);
    for anchor in ["learning", "held-out", "cost", "weights", "security", "settings"] {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")) && page.contains(&format!("href=\"#{anchor}\"")), "{anchor}");
    }
    assert!(!page.contains("Left out"), "{page}");
    // What a browser would fetch or run.
    let lower = page.to_lowercase().replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for bad in [
        "<script",
        "<link",
        "<iframe",
        "<object",
        "<embed",
        "<base",
        " style=",
        "url(",
        "@import",
        "<img src=http",
        "src=\"http",
        "href=\"http",
    ] {
        assert!(!lower.contains(bad), "{bad}");
    }
    // The style that the policy allows is the one that is there.
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    assert!(
        page.contains(&format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'"
        ))
    );
    // Figures, with what they are of.
    for text in [
        "75.00%",
        "50.00% in the clear",
        "1,437 records",
        "9999: unlike noise",
        "250: like noise",
        "data:image/png;base64,",
        "ends 25.00 points lower",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // One loss, once: a word each way.
    assert!(page.contains("<td>P0 and P1</td><td>2</td><td>2</td>"));
    assert!(page.contains("prefers-color-scheme:dark") && page.len() < 60_000, "{}", page.len());
}

#[test]
fn no_text_of_a_run_becomes_a_part_of_the_page() {
    let dir = folder();
    let page = page(dir.path()).unwrap();
    let shown = "&quot;&gt;&lt;img src=http://evil.example/a onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;&amp; ";
    // The title twice, the classes in the matrix and beside the mistake.
    assert!(page.matches(shown).count() >= 5);
    for bad in ["<img src=http", "<script", "</pre><script", "<b>", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    well_formed(&page);
}

#[test]
fn what_a_folder_lacks_is_left_out_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let e = page(dir.path()).unwrap_err().to_string();
    assert!(e.contains("summary.json: found no such file, expected the folder of a demo"), "{e}");
    std::fs::write(dir.path().join("summary.json"), summary("digits").to_string()).unwrap();
    let page = page(dir.path()).unwrap();
    well_formed(&page);
    for name in ["metrics.jsonl", "held_out.json", "cost.csv", "model.safetensors", "parties.json", "config.toml"] {
        assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
    }
}

/// One line for whatever is wrong, that names the file; nothing is read without a bound.
#[test]
fn hostile_folders_are_refused() {
    let bad_counts = HeldOut { counts: vec![vec![1]], ..held_out("yes") };
    let bad_image = {
        let mut held_out = held_out("yes");
        held_out.wrong[0].image = Some(Image { width: 1 << 40, height: 1 << 40, levels: String::new() });
        held_out
    };
    let json = |held_out: &HeldOut| serde_json::to_string(held_out).unwrap();
    for (name, text, words) in [
        ("summary.json", "{}".to_owned(), "a demo's summary"),
        ("summary.json", "[".repeat(1 << 19), "a demo's summary"),
        ("summary.json", " ".repeat((1 << 20) + 1), "more than 1048576 bytes"),
        ("metrics.jsonl", "{\"event\":\"connected\"}".into(), "metrics.jsonl, line 1: found another event"),
        ("metrics.jsonl", "\n\n<script>".into(), "metrics.jsonl, line 1"),
        ("cost.csv", "head\na,b,1,2,3,nan".into(), "cost.csv, line 2: found a,b,1,2,3,nan"),
        ("cost.csv", "head\na,b,1,18446744073709551615,3,1".into(), "cost.csv, line 2"),
        ("held_out.json", json(&bad_counts), "held_out.json: counts"),
        ("held_out.json", json(&bad_image), "held_out.json: image"),
        ("held_out.json", json(&HeldOut { classes: vec![], ..held_out("yes") }), "found 0, expected 2 to 64"),
        ("parties.json", "[]".into(), "the reports of three parties"),
        ("job.toml", "name = 3".into(), "job.toml"),
        ("model.safetensors", "nonsense".into(), "model.safetensors"),
    ] {
        let dir = folder();
        std::fs::write(dir.path().join(name), text).unwrap();
        let e = page(dir.path()).unwrap_err().to_string();
        assert!(e.contains(words) && !e.contains('\n') && e.len() < 700, "{name}: {e}");
    }
    let dir = folder();
    std::fs::remove_file(dir.path().join("config.toml")).unwrap();
    std::fs::create_dir(dir.path().join("config.toml")).unwrap();
    assert!(page(dir.path()).unwrap_err().to_string().contains("something that is no file"));
    // Somebody else's file is not drawn into the page.
    #[cfg(unix)]
    {
        std::fs::remove_dir(dir.path().join("config.toml")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("config.toml")).unwrap();
        assert!(page(dir.path()).unwrap_err().to_string().contains("something that is no file"));
    }
}
