use crate::lanes::DISMISS;
use crate::proof::{Batch, Claim, Provers};
use crate::{Cost, Error, Lanes, Pair, Part, Prg, Result, Seeds, round::Round};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trefoil_engine::Lane;
use trefoil_net::{At, Frame, Id, Net, Strand};

/// The number of an operation within a step: half of the address of every message and draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op(pub(crate) u32);

/// What a rank says of itself, from what it has spent.
type Answers = Box<dyn Fn(&Party) -> Vec<u8> + Send>;

/// One of the three: who it is, how it reaches the others, what it shares with them, and what it has spent.
///
/// A protocol is one function that all three call with their own `Party`; where they differ it says `match p.id`.
///
/// ```
/// use trefoil_mpc::{Id, Pair, simulate};
/// // P0 and P2 draw the same mask from the key that they share; P1 has no such key, and learns nothing of it.
/// let drawn = simulate(1, |p| {
///     let op = p.op();
///     match p.id {
///         Id::P1 => Ok(None),
///         _ => Ok(Some(p.draw(op, Pair::K02, "mask")?.words(2))),
///     }
/// });
/// let [Ok((a, _)), Ok((nothing, _)), Ok((b, _))] = drawn else { panic!() };
/// assert!(a.is_some() && a == b && nothing.is_none());
/// ```
pub struct Party {
    /// Which of the three.
    pub id: Id,
    /// What has been spent so far.
    pub cost: Cost,
    /// Keys and draws.
    pub seeds: Seeds,
    /// What each of the three has still to prove, P0 first, as far as this party knows it.
    pub(crate) claims: Batch,
    /// Who proves them, once something has been claimed.
    provers: Option<Provers>,
    pub(crate) net: Strand,
    pub(crate) depth: u32,
    pub(crate) fault: Option<crate::Error>,
    /// What its ranks say to one another, where there are several.
    pub(crate) lanes: Option<Arc<Mutex<Lanes>>>,
    /// What another rank than 0 says of itself.
    answers: Option<Answers>,
    /// Whether matrices are this lane's rows of a batch.
    apart: bool,
    layer: String,
    step: u64,
    ops: u32,
}

impl Party {
    /// A party at step 0.
    pub fn new(id: Id, net: impl Net + 'static, seeds: Seeds) -> Party {
        Party::over(id, Strand::new(net), seeds)
    }

    fn over(id: Id, net: Strand, seeds: Seeds) -> Party {
        Party {
            id,
            cost: Cost::default(),
            seeds,
            claims: Batch::default(),
            provers: None,
            net,
            depth: 0,
            fault: None,
            lanes: None,
            answers: None,
            apart: false,
            layer: String::new(),
            step: 0,
            ops: 0,
        }
    }

    /// Gives the network back, for a party with other keys. Nothing that was sent to this one is left to be received, nor claimed and not proven.
    pub fn into_net(self) -> Arc<dyn Net> {
        drop(self.provers);
        self.net.into_net()
    }

    /// The same party for a program that runs beside this one, in a strand of its own: it has the same keys, and addresses that are not this one's.
    pub(crate) fn beside(&self, strand: usize, layer: &str) -> Party {
        let net = self.net.beside(strand);
        Party { ops: net.first_op(), layer: layer.to_owned(), ..Party::over(self.id, net, self.seeds.beside()) }
    }

    /// Everything that was claimed since the last time goes to those who prove it, beside what this party does next; they do so once the batch before is done.
    ///
    /// # Errors
    /// [`Error::Rejected`] if a party has lied before; those of the network.
    pub(crate) fn hand_claims_over(&mut self) -> Result<()> {
        let (batch, place) = (std::mem::take(&mut self.claims), self.here());
        if batch.size == 0 {
            return Ok(());
        }
        let mut provers = self.provers.take().unwrap_or_else(|| Provers::of(self));
        let taken = provers.take(place, batch);
        self.provers = Some(provers);
        self.cost += taken?;
        Ok(())
    }

    /// Waits until all that was claimed is proven.
    ///
    /// # Errors
    /// [`Error::Rejected`] if a party has lied; those of the network.
    pub fn prove_all(&mut self) -> Result<()> {
        self.hand_claims_over()?;
        let cost = self.provers.as_mut().map(Provers::finish).transpose()?;
        self.cost += cost.unwrap_or_default();
        Ok(())
    }

    /// Of an error of the network what it comes from, where a peer has stopped because a proof was rejected.
    pub(crate) fn because(&mut self, e: Error) -> Error {
        self.provers.as_mut().and_then(Provers::rejection).unwrap_or(e)
    }

    /// The next operation. All three count alike, since they run the same program.
    pub fn op(&mut self) -> Op {
        self.ops += 1;
        Op(self.ops)
    }

    /// Starts a step; operations count from 1 again. Steps only grow: an address is never used twice in a session.
    pub fn begin_step(&mut self, step: u64) {
        debug_assert!(step >= self.step, "steps only grow");
        if step > self.step {
            self.step = step;
            self.ops = self.net.first_op();
            self.seeds.begin_step(step);
        }
    }

    /// Notes this party's part of a claim of `prover` about words.
    pub fn claim(&mut self, prover: Id, claim: Claim) {
        self.claims.size += claim.size();
        self.claims.words[prover.index()].push(claim);
    }

    /// The same about bits, 64 in a word: every word of it is that of 64 claims.
    pub fn claim_bits(&mut self, prover: Id, claim: Claim) {
        self.claims.size += claim.size();
        self.claims.bits[prover.index()].push(claim);
    }

    /// The stream of (pair, step, operation, label).
    ///
    /// # Errors
    /// [`crate::Error::Reused`] if this address was drawn before; [`crate::Error::NoKey`] if this party is not of the pair.
    pub fn draw(&mut self, op: Op, pair: Pair, label: &'static str) -> Result<Prg> {
        Ok(self.seeds.draw(op.0, pair, label)?.of_lane(self.drawing()))
    }

    /// Whose part of what is drawn is made: this lane's, or all.
    pub(crate) fn drawing(&self) -> Lane {
        if self.apart { self.lane() } else { Lane::ALONE }
    }

    /// The same party as one lane of several: see [`Lanes`].
    pub fn with_lanes(self, lanes: Arc<Mutex<Lanes>>) -> Party {
        Party { lanes: Some(lanes), ..self }
    }

    /// Which lane of how many this is.
    pub fn lane(&self) -> Lane {
        self.lanes.as_ref().map_or(Lane::ALONE, |lanes| lanes.lock().unwrap_or_else(PoisonError::into_inner).lane())
    }

    /// Lane 0: the others have taken part in the last step.
    ///
    /// # Errors
    /// One of them is gone.
    pub fn dismiss(&self) -> Result<()> {
        self.lanes().map_or(Ok(()), |mut lanes| lanes.spread(vec![DISMISS]).map(drop))
    }

    /// The same where rank 0 may [ask](Party::ask): what this rank says then, of its network and its cost. It is asked while the lanes are held, and does not ask for them.
    pub fn answering(self, answers: impl Fn(&Party) -> Vec<u8> + Send + 'static) -> Party {
        Party { answers: Some(Box::new(answers)), ..self }
    }

    /// Lane 0, between two steps: what each of the other ranks of this party says of itself. No other party hears of it.
    ///
    /// # Errors
    /// One of them is gone.
    pub fn ask(&self) -> Result<Vec<Vec<u8>>> {
        self.lanes().map_or(Ok(vec![]), |mut lanes| lanes.ask())
    }

    /// Another rank: its answer.
    pub(crate) fn answer(&self) -> Vec<u8> {
        self.answers.as_ref().map_or(vec![], |answers| answers(self))
    }

    /// The lanes, as long as they are needed.
    pub(crate) fn lanes(&self) -> Option<MutexGuard<'_, Lanes>> {
        self.lanes.as_ref().map(|lanes| lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether matrices are this lane's rows of a batch from here on: draws are then those that the rows would have in the whole batch.
    pub(crate) fn set_apart(&mut self, apart: bool) {
        self.apart = apart;
    }

    /// The same, for other ranks of this party.
    pub(crate) fn place(&self) -> [u64; 2] {
        let At { step, op } = self.here();
        [step, op.into()]
    }

    /// Goes to where lane 0 is.
    pub(crate) fn go_to(&mut self, [step, op]: [u64; 2]) {
        self.begin_step(step);
        self.ops = self.ops.max(u32::try_from(op).unwrap_or(u32::MAX));
    }

    /// A round: what is sent now depends on everything received so far.
    pub fn round(&mut self, op: Op, label: &'static str) -> Round<'_> {
        Round::new(self, op, label, false)
    }

    /// Messages that depend on no data, which a helper may send ahead: no round.
    pub fn offline(&mut self, op: Op, label: &'static str) -> Round<'_> {
        Round::new(self, op, label, true)
    }

    /// All three wait here for one another, and show that they hold the same `words`: a checkpoint's digest, or the end. A helper
    /// that ran ahead may wait for long, as long as the work of both others goes on. No round.
    ///
    /// # Errors
    /// A peer is gone or silent, or holds something else.
    pub fn meet(&mut self, label: &'static str, words: &[u64]) -> Result<()> {
        let at = At { step: self.step, op: self.ops + 1 };
        for (peer, theirs) in self.tell(label, words)? {
            if theirs != words {
                let (found, expected) = ("of another state".into(), "the same at all three".into());
                return Err(Error::Unexpected { at, label, peer, what: "digest", found, expected });
            }
        }
        Ok(())
    }

    /// All three wait here for one another, and tell each other as many words; those of the two others. No round.
    ///
    /// # Errors
    /// A peer is gone or silent, or tells something else.
    pub fn tell(&mut self, label: &'static str, words: &[u64]) -> Result<[(Id, Vec<u64>); 2]> {
        let op = self.op();
        let at = self.at(op);
        for to in self.id.others() {
            self.send_words(at, to, label, words)?;
        }
        let [a, b] = self.id.others();
        let mut theirs = |peer: Id| -> Result<(Id, Vec<u64>)> {
            let told = self.receive_words(at, peer, label)?;
            let (found, expected) = (told.len().to_string(), format!("{} words", words.len()));
            match told.len() == words.len() {
                true => Ok((peer, told)),
                false => Err(Error::Unexpected { at, label, peer, what: "words:", found, expected }),
            }
        };
        Ok([theirs(a)?, theirs(b)?])
    }

    /// Tells another party something between steps: what is next, say. It has no address, since the two may be at different steps. No round.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn announce(&mut self, to: Id, label: &'static str, words: &[u64]) -> Result<()> {
        self.send_words(At::default(), to, label, words)
    }

    /// What another party [announces](Party::announce).
    ///
    /// # Errors
    /// The peer is gone or silent, or tells something else.
    pub fn announced(&mut self, from: Id, label: &'static str) -> Result<Vec<u64>> {
        self.receive_words(At::default(), from, label)
    }

    fn send_words(&mut self, at: At, to: Id, label: &'static str, words: &[u64]) -> Result<()> {
        let frame = Frame { at, depth: 0, label: Cow::Borrowed(label), parts: vec![Part::words(words)] };
        self.cost.sent(&self.layer, label, to, frame.payload());
        self.net.send(to, frame).map_err(|source| self.because(Error::Net { at, label, source: Box::new(source) }))
    }

    fn receive_words(&mut self, at: At, peer: Id, label: &'static str) -> Result<Vec<u64>> {
        let frame = self.net.recv(peer).map_err(|source| self.because(Error::Net { at, label, source: Box::new(source) }))?;
        let unexpected = |what, found: String, expected: String| Error::Unexpected { at, label, peer, what, found, expected };
        if frame.at != at || frame.label != label {
            let name = |at: At, label: &str| format!("{} of step {}, operation {}", label.escape_debug(), at.step, at.op);
            return Err(unexpected("message", name(frame.at, &frame.label), name(at, label)));
        }
        match &frame.parts[..] {
            [part] => part.to_words(part.len()).map_err(|found| unexpected("words:", found, "words".into())),
            parts => Err(unexpected("tensors", parts.len().to_string(), "one".into())),
        }
    }

    /// Length of the longest chain of dependent messages that ends here.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// The other server; P2 has none, and gets P0.
    pub fn peer(&self) -> Id {
        if self.id == Id::P0 { Id::P1 } else { Id::P0 }
    }

    /// Bytes written to the transport towards `to`, headers and TLS included.
    pub fn wire_bytes(&self, to: Id) -> u64 {
        self.net.wire_bytes(to)
    }

    /// The most bytes of frames that have waited here, on their way to `peer` and coming from it.
    pub fn peak_queued(&self, peer: Id) -> [usize; 2] {
        self.net.peak_queued(peer)
    }

    /// The layer that cost is booked to.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Books cost to another layer; gives the last one back.
    pub fn set_layer(&mut self, layer: &str) -> String {
        std::mem::replace(&mut self.layer, layer.to_owned())
    }

    /// Where this party is in its program.
    pub(crate) fn here(&self) -> At {
        At { step: self.step, op: self.ops }
    }

    pub(crate) fn at(&self, op: Op) -> At {
        At { step: self.step, op: op.0 }
    }
}
