use super::*;
use crate::Job;
use crate::SuiteName;
use crate::job::JOB;
use ndarray::Array2;
use trefoil_client::clients::{ClientList, Listed};
use trefoil_engine::fixed;
use trefoil_mpc::securenn::SecureNn;
use trefoil_mpc::{Part, Suite};
use trefoil_nn::model::{Column, Input};
use trefoil_nn::{Bound, Graph, Model, Network};
use trefoil_ring::Tensor;

const DATA: &str = r#"
    [data]
    task = "classification"
    label = "ill"
    classes = ["no", "yes"]
    columns = [{ kind = "range", name = "x", min = -3, max = 12 }]
"#;

const SERVE: &str = r#"
    [serve]
    reveal = "class"
    client = [{ name = "c", fingerprint = "0505050505050505050505050505050505050505050505050505050505050505" }]
    records = 1000
"#;

const CLIENT: &str = "0505050505050505050505050505050505050505050505050505050505050505";

fn job(more: &str) -> Result<Job> {
    let (members, _) = JOB.split_once("[data]").unwrap();
    Job::parse(&format!("{members}{DATA}{more}"), "job.toml", &Peers::default())
}

fn text(job: &Job) -> String {
    let parties: Vec<String> = job
        .party
        .iter()
        .map(|p| {
            format!("{{ name = {:?}, address = {:?}, fingerprint = \"{}\" }}", p.name, p.address.clone().unwrap(), p.fingerprint)
        })
        .collect();
    format!(
        "name = \"ward\"\nmodel = {{ job = \"{}\" }}\nparty = [{}]\nclient = [{{ name = \"c\", fingerprint = \"{CLIENT}\" }}]\n\
         reveal = \"class\"\nuntil = 2027-12-31\nlimits = {{ records_an_hour = 500, records = 1000 }}\n",
        job.hash(),
        parties.join(", ")
    )
}

fn service(text: &str) -> Result<Service> {
    Service::parse(text, "service.toml", &Peers::default())
}

#[test]
fn a_service_may_not_exceed_its_job() {
    let job = job(SERVE).unwrap();
    let good = service(&text(&job)).unwrap();
    good.check_against(&job).unwrap();
    let other = "06".repeat(32);
    for (found, instead, why) in [
        ("reveal = \"class\"", "reveal = \"probabilities\"", "reveal: found probabilities, expected class"),
        (CLIENT, &other, "one of those in the job's [serve]"),
        ("records = 1000", "records = 1001", "limits.records: found 1001, expected at most 1000"),
        (&job.party[1].fingerprint.to_string(), &other, "the job's"),
    ] {
        let text = text(&job);
        assert!(text.contains(found));
        let e = service(&text.replace(found, instead)).unwrap().check_against(&job).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
    let unserved = self::job("").unwrap();
    assert!(good.check_against(&unserved).unwrap_err().to_string().contains("expected"));
    let e = service(&text(&unserved)).unwrap().check_against(&unserved).unwrap_err().to_string();
    assert!(e.contains("without [serve]"), "{e}");
}

const SIGNER: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// `client` with whoever is in this member's list.
fn listed(text: &str, signer: &str) -> String {
    let (before, rest) = text.split_once("client = [").unwrap();
    let (_, after) = rest.split_once(']').unwrap();
    format!("{before}client = {{ list = {{ name = \"s\", fingerprint = \"{signer}\", address = \"a:1\" }} }}{after}")
}

/// Who signed the job has agreed to certain clients, or to whoever one of them lists: no service makes of the one the other.
#[test]
fn clients_are_those_of_the_job_or_of_its_list() {
    let (fixed, growing) = (job(SERVE).unwrap(), job(&listed(SERVE, SIGNER)).unwrap());
    let of_list = service(&listed(&text(&growing), SIGNER)).unwrap();
    of_list.check_against(&growing).unwrap();
    assert!(of_list.canonical().contains(&format!("\"client\":{{\"list\":{{\"fingerprint\":\"{SIGNER}\",\"name\":\"s\"}}}}")));
    assert_ne!(fixed.hash(), growing.hash());
    assert_eq!(Service::from_json(serde_json::to_value(&of_list).unwrap()).unwrap(), of_list);
    assert_eq!(Job::from_json(serde_json::to_value(&growing).unwrap()).unwrap(), growing);
    let again = Service::parse(&toml::to_string(&of_list).unwrap(), "again", &Peers::default()).unwrap();
    assert_eq!(again, of_list);
    for (service_text, job, why) in [
        (text(&growing), &growing, "found 1 clients, expected { list = .. } of s 0707"),
        (listed(&text(&growing), CLIENT), &growing, "found a list of s 0505"),
        (listed(&text(&fixed), SIGNER), &fixed, "expected members of the job's [serve], which has no list"),
    ] {
        let e = service(&service_text).unwrap().check_against(job).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
    for (bad, why) in [
        ("client = {}", "missing field `list`"),
        ("client = { list = { name = \"s\" } }", "a name alone"),
        ("client = { list = [] }", "invalid"),
        (&format!("client = {{ list = {{ name = \"s\", fingerprint = \"{SIGNER}\" }}, more = 1 }}"), "unknown field `more`"),
        ("client = 3", "members, or { list = who signs it }"),
    ] {
        let (before, rest) = SERVE.split_once("client = [").unwrap();
        let e = self::job(&format!("{before}{bad}{}", rest.split_once(']').unwrap().1)).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{bad}: {e}");
    }
}

/// A list is this service's, signed by the one whom it names, and has no party in it.
#[test]
fn whose_list_it_is() {
    let [signer, other] = ["signer", "other"].map(|name| Identity::generate(name).unwrap());
    let job = job(&listed(SERVE, &signer.fingerprint().to_string())).unwrap();
    let service = service(&listed(&text(&job), &signer.fingerprint().to_string())).unwrap();
    let client = |fingerprint| vec![Listed { name: "c".into(), fingerprint }];
    let hash = service.hash();
    let c = Fingerprint([5; 32]);
    let good = ClientList::sign(&signer, hash, 1, client(c)).unwrap();
    service.check_list(&good).unwrap();
    assert_eq!((service.client_of(c, Some(&good)), service.client_of(c, None)), (Some("c"), None));
    assert!(
        service.is_signer(signer.fingerprint())
            && !service.is_signer(c)
            && service.client_of(signer.fingerprint(), Some(&good)).is_none()
    );
    for (list, why) in [
        (ClientList::sign(&other, hash, 1, client(c)).unwrap(), "found one signed by "),
        (ClientList::sign(&signer, ServiceHash([1; 32]), 1, client(c)).unwrap(), "found service 0101"),
        (
            ClientList::sign(&signer, hash, 1, client(service.party[1].fingerprint)).unwrap(),
            "expected clients, which no party is",
        ),
        (ClientList { version: 2, ..good.clone() }, "not by this certificate's key"),
    ] {
        let e = service.check_list(&list).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
    let fixed = self::service(&text(&job)).unwrap();
    assert!(fixed.check_list(&good).unwrap_err().to_string().contains("the service names its clients itself"));
}

#[test]
fn what_is_no_service_is_refused() {
    let job = job(SERVE).unwrap();
    for (found, instead, why) in [
        ("2027-12-31", "\"2027-13-31\"", "until"),
        ("2027-12-31", "\"soon\"", "until"),
        ("2027-12-31", "2027-12-31T10:00:00Z", "until"),
        ("records_an_hour = 500", "records_an_hour = 0", "at least 1"),
        ("limits = {", "limits = { records_a_question = 100,", "1, 8, 32 or 128"),
        (CLIENT, &"01".repeat(32), "twice"),
        ("\"class\"", "\"weights\"", "unknown variant"),
        ("name = \"ward\"", "name = \"\"", "1 to 64 characters"),
        ("model = { job", "model = { file", "unknown variant"),
    ] {
        let text = text(&job);
        assert!(text.contains(found), "{found}");
        let e = service(&text.replacen(found, instead, 1)).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
    for (found, instead, why) in
        [("\"class\"", "\"value\"", "serve.reveal: found value"), ("1000", "0", "serve.records"), (CLIENT, "05", "fingerprint")]
    {
        let e = self::job(&SERVE.replace(found, instead)).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
}

/// The hash is of everything but the addresses; and whether a job serves is in the job's.
#[test]
fn what_is_hashed() {
    let job = job(SERVE).unwrap();
    let good = service(&text(&job)).unwrap();
    let text = good.canonical();
    assert!(text.starts_with("trefoil service 1\n{\"client\":[{\"fingerprint\":\"0505"), "{text}");
    let mut moved = good.clone();
    moved.party[0].address = Some("elsewhere:1".into());
    assert_eq!(moved.hash(), good.hash());
    let more = Service { limits: Limits { records: 999, ..good.limits }, ..good.clone() };
    assert_ne!(more.hash(), good.hash());
    assert_ne!(job.hash(), self::job("").unwrap().hash());
    assert_ne!(job.hash(), self::job(&SERVE.replace("1000", "1001")).unwrap().hash());
    let again: Service = Service::from_json(serde_json::to_value(&good).unwrap()).unwrap();
    assert_eq!(again, good);
    assert!(!good.is_over("2027-12-31") && good.is_over("2028-01-01"));
}

/// A service of a model on two columns, one of them a text, that its owner shares.
fn shared() -> (Model, Service) {
    let columns = vec![
        Column::Numbers { name: "age".into(), count: 1, subtract: 40.0, divide: 10.0, clip: Some([-8.0, 8.0]), log: false },
        Column::Category { name: "town".into(), values: vec!["here".into(), "there".into()], other: false },
    ];
    let graph = Graph::perceptron(&[3, 4, 2]);
    let params: Vec<_> = graph.params().unwrap().iter().map(|p| Array2::from_elem(p.shape(), 0.25)).collect();
    let model = Model::new(&graph, &params, "by hand").unwrap();
    let model = model.with_classes(&["no".into(), "yes".into()]).unwrap();
    let model = model.with_input(Input { columns, named: true, missing: vec![], dates: vec![], target: None }).unwrap();
    let owner = Member { name: "o".into(), fingerprint: Fingerprint([9; 32]), address: Some("of no use:1".into()) };
    let (shared, bound) = Shared::of(&model, owner, SuiteName::Masked, 3).unwrap();
    assert_eq!(bound, Bound::Proven);
    let service = service(&text(&job(SERVE).unwrap())).unwrap();
    (model, Service { model: Origin::Shared(Box::new(shared)), ..service })
}

/// Everything but the weights stands in the file, and what follows from it is what the owner encodes by.
#[test]
fn a_shared_model_is_public_but_for_its_weights() {
    let (model, service) = shared();
    let again = Service::parse(&toml::to_string(&service).unwrap(), "service.toml", &Peers::default()).unwrap();
    assert_eq!(again.hash(), service.hash());
    assert!(!service.canonical().contains("of no use") && !service.canonical().contains("0.25"), "{}", service.canonical());
    assert!(service.role(Fingerprint([9; 32])) == "model owner o" && service.is_model_owner(Fingerprint([9; 32])));
    let known = again.known(None).unwrap();
    assert_eq!((known.most, known.task, known.chosen.suite), (None, model.task().clone(), SuiteName::Masked));
    // Ages up to 8 deviations.
    assert!(known.prediction.input().bits - known.prediction.input().frac == 4, "{:?}", known.prediction.input());
    let bytes = Id::ALL.map(|id| service.bytes_of_model(id).unwrap());
    assert_eq!(bytes, [Some(32), Some(8 * 26), Some(0)]);
}

#[test]
fn what_describes_no_model_is_refused() {
    let (_, service) = shared();
    let text = toml::to_string(&service).unwrap();
    for (found, instead, why) in [
        ("classes = [\"no\", \"yes\"]", "classes = [\"no\"]", "model.classes: found 1 names, expected 2"),
        ("classes = [\"no\", \"yes\"]", "classes = []", "model.classes: found 0 names"),
        ("\"no\"", "\"\"", "1 to 200 characters"),
        (
            "reveal = \"class\"",
            "reveal = \"value\"",
            "reveal: found value, expected class or probabilities, as the model's task is",
        ),
        ("divide = 10.0", "divide = 0.0", "not divided by 0"),
        ("suite = \"masked\"", "suite = \"other\"", "unknown variant"),
        ("outputs = 4", "outputs = 0", "expected"),
        ("named = true", "named = true\ntarget = { mean = 0.0, deviation = 1.0 }", "only a regression"),
    ] {
        assert!(text.contains(found), "{found}: {text}");
        let e = Service::parse(&text.replacen(found, instead, 1), "service.toml", &Peers::default()).unwrap_err().to_string();
        assert!(e.contains(why) && !e.contains('\n'), "{why}: {e}");
    }
    // Numbers that no ring holds; a job in place of the model.
    let wide = text.replace("weights = 4", "weights = 60");
    let e = Service::parse(&wide, "service.toml", &Peers::default()).unwrap().known(None).err().unwrap().to_string();
    assert!(e.starts_with("scales: "), "{e}");
    let e = service.check_against(&job(SERVE).unwrap()).unwrap_err().to_string();
    assert!(e.starts_with("service: model: found one that its owner shares"), "{e}");
}

/// The parties' words are the weights, as one has only with both.
#[test]
fn the_weights_are_what_p0_and_p1_have_together() {
    let (model, service) = shared();
    let known = service.known(None).unwrap();
    let w: Vec<u64> = known
        .prediction
        .params()
        .iter()
        .zip(model.params())
        .flat_map(|(format, (_, values))| fixed::encode(&values.mapv(f64::from), *format).unwrap())
        .collect();
    let [of_p0, of_p1, _] = SecureNn::deal(&Tensor::from_shape_vec((1, w.len()), w.clone()).unwrap(), [5; 32]);
    let words = |id, parts: &[Part]| service.words_of_model(id, parts[0].bytes().to_vec()).unwrap();
    let (w_0, w_1) = (words(Id::P0, &of_p0), words(Id::P1, &of_p1));
    let sum: Vec<u64> = w_0.iter().zip(&w_1).map(|(a, b)| a.wrapping_add(*b)).collect();
    assert!(sum == w && w_0 != w && w_1 != w);
    assert_eq!(service.words_of_model(Id::P2, vec![]).unwrap(), Vec::<u64>::new());
    let e = service.words_of_model(Id::P1, vec![0; 8]).unwrap_err().to_string();
    assert_eq!(e, "share of the model: found 8 bytes, expected 26 elements");
}

#[test]
fn passes_are_filled_up() {
    let sizes = [1, 2, 8, 9, 128].map(Service::pass);
    assert_eq!(sizes, [Some(1), Some(8), Some(8), Some(32), Some(128)]);
    assert_eq!(Service::pass(129), None);
}

/// A pass is held to what a batch of a training is: a wide network answers fewer records at a time.
#[test]
fn a_pass_fits_into_memory() {
    let narrow = job(SERVE).unwrap();
    let largest = |job: &Job, reveal| Service::largest_question(&Network::new(job.network().unwrap()).unwrap(), reveal);
    assert_eq!(largest(&narrow, Reveal::Class), 128);
    let wide = job(&format!("{SERVE}[train]\nhidden = [300000]\nbatch = 8\n")).unwrap();
    assert_eq!(largest(&wide, Reveal::Probabilities), 32);
    // The class alone takes a comparison of each pair of outputs.
    let outputs = Network::new(Graph::perceptron(&[4, 2000])).unwrap();
    assert_eq!([Reveal::Probabilities, Reveal::Class].map(|reveal| Service::largest_question(&outputs, reveal)), [128, 8]);
    let e = service(&text(&wide)).unwrap().check_against(&wide).unwrap_err().to_string();
    assert!(e.contains("limits.records_a_question: found 128, expected at most 32 records"), "{e}");
    let fewer = text(&wide).replace("limits = {", "limits = { records_a_question = 32,");
    service(&fewer).unwrap().check_against(&wide).unwrap();
}
