//! What the doctor can find: one table, so that a test can go through all of it.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the doctor's report, and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Which of all findings.
    pub kind: Kind,
    /// The check or the phase.
    pub check: &'static str,
    /// What was looked at: a file, an address, a party.
    pub subject: String,
    /// How bad it is.
    pub level: Level,
    /// What was found, in a line.
    pub message: String,
    /// What to do; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    /// A finding with its kind's advice. An error that begins with the subject does not repeat it.
    pub fn new(kind: Kind, subject: impl ToString, message: impl ToString) -> Finding {
        let (check, level, advice) = (kind.check(), kind.level(), kind.advice().to_owned());
        let (subject, message) = (subject.to_string(), message.to_string());
        let rest = message.strip_prefix(&subject).and_then(|m| m.strip_prefix(": ").or_else(|| m.strip_prefix(", ")));
        let message = rest.filter(|_| !subject.is_empty()).map_or_else(|| message.clone(), str::to_owned);
        Finding { kind, check, subject, level, message, advice }
    }

    /// The same with advice that names names.
    pub fn advise(self, advice: String) -> Finding {
        Finding { advice, ..self }
    }
}

macro_rules! kinds {
    ($($name:ident: $check:literal $level:ident $code:literal $advice:literal)*) => {
        /// All that can be found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs)] // the table says it
        pub enum Kind { $($name),* }

        impl Kind {
            /// Each of them.
            pub const ALL: &[Kind] = &[$(Kind::$name),*];

            /// The check, or the phase of reaching a party.
            pub fn check(self) -> &'static str {
                match self { $(Kind::$name => $check),* }
            }

            /// How bad it is.
            pub fn level(self) -> Level {
                match self { $(Kind::$name => Level::$level),* }
            }

            /// The exit code where it is the first failure: that of the command which would fail the same way.
            pub fn code(self) -> u8 {
                match self { $(Kind::$name => $code),* }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Kind::$name => $advice),* }
            }
        }
    };
}

kinds! {
    ConfigRead: "config" Ok 0 ""
    ConfigUnusable: "config" Fail 2 "correct the file; the other checks of this machine need it"

    KeyRead: "key" Ok 0 ""
    KeyNone: "key" Warn 0 "without a key only addresses and connections can be checked"
    KeyUnreadable: "key" Fail 2 "`trefoil keygen NAME` makes a key; name it as `key` in the configuration or with --key"
    KeyExposed: "key" Fail 2 "chmod 600 the file; if others may have read it, make a new key and tell everybody its fingerprint"
    KeyPlain: "key" Fail 2 "`trefoil keygen NAME --import FILE` encrypts it; the fingerprint stays the same"
    KeyPassphrase: "key" Fail 2 "give the passphrase in TREFOIL_PASSPHRASE, with --passphrase-fd, or at the terminal"
    KeyUnusable: "key" Fail 2 "restore the file from a copy, or make a new key and tell everybody its fingerprint"

    CertificateValid: "certificate" Ok 0 ""
    CertificateEnding: "certificate" Warn 0 "make a new key with `trefoil keygen` in time, and tell everybody its fingerprint"
    CertificateEnded: "certificate" Fail 2 "make a new key with `trefoil keygen`, and tell everybody its fingerprint"
    CertificateEarly: "certificate" Fail 2 "set this machine's clock"

    FolderReady: "folder" Ok 0 ""
    FolderRunning: "folder" Ok 0 ""
    FolderUnusable: "folder" Fail 3 "the folder must belong to the party's user alone, and be on a disk that can be written"
    SpaceEnough: "space" Ok 0 ""
    SpaceLow: "space" Warn 0 "make room: uploads and checkpoints are kept there, and a full disk stops every job"

    ListenFree: "listen" Ok 0 ""
    ListenOwn: "listen" Ok 0 ""
    ListenUnasked: "listen" Warn 0 "with the key, the doctor can tell whether it is this party"
    ListenTaken: "listen" Fail 4 "another program has the port: end it, or change `listen`"
    ListenImpossible: "listen" Fail 4 "name an address of this machine, such as 0.0.0.0:7001; ports below 1024 need a privilege"
    StatusFree: "status" Ok 0 ""
    StatusOwn: "status" Ok 0 ""
    StatusUnusable: "status" Fail 2 "use 127.0.0.1:9100, or say `status_public = true` where others may ask"
    StatusTaken: "status" Fail 4 "another program has the port, or the address is none of this machine's: change `status`"

    AuditWhole: "audit" Ok 0 ""
    AuditNone: "audit" Ok 0 ""
    AuditTorn: "audit" Warn 0 "a crash tore it, or it is being written; the party cuts it off at its next start and notes that"
    AuditBroken: "audit" Fail 3 "somebody changed the log, or the disk did: keep a copy of it, and find out before the party runs again"

    PeersRead: "peers" Ok 0 ""
    PeersNone: "peers" Warn 0 "`trefoil peers add NAME ADDRESS FINGERPRINT` adds those who may call"
    PeersUnusable: "peers" Fail 2 "correct the file"

    JobRead: "job" Ok 0 ""
    JobUnusable: "job" Fail 2 "correct the file; a change makes another job, which everybody must approve anew"
    JobContradicts: "job" Fail 2 "ask them on another channel which fingerprint is right, then correct the file that has the other"
    JobOtherName: "job" Warn 0 "make sure that both names mean the same organisation"
    JobOtherAddress: "job" Warn 0 "the job's is used; correct the one that is out of date (addresses do not change the job's hash)"
    RoleFound: "role" Ok 0 ""
    RoleStranger: "role" Fail 2 "use the key whose fingerprint the file has, or have the file changed: it is another one then, to be approved anew"
    RoleNoParty: "role" Fail 2 "use the configuration of one of the three parties, or check with --key alone"
    ServiceRead: "service" Ok 0 ""
    ServiceUnusable: "service" Fail 2 "correct the file; a change makes another service, which the operators must approve anew"
    ServiceExceeds: "service" Fail 2 "narrow the service to what its job has in [serve], or name the job that it is of"

    PeerReady: "reach" Ok 0 ""
    PeerUnasked: "reach" Warn 0 "with a key, the doctor can shake hands"
    PeersNobody: "reach" Warn 0 "give --job or --service, or add peers with addresses"
    ResolveFailed: "resolve" Fail 4 "correct the name in the job or in the peers file, or this machine's DNS"
    ConnectRefused: "connect" Fail 4 "their party does not run, or listens at another port"
    ConnectSilent: "connect" Fail 4 "a firewall drops the packets, or the machine is off: their port must be open to this machine"
    ConnectFailed: "connect" Fail 4 "the network between the two machines does not carry it: ask whoever runs it"
    CertificateOther: "certificate" Fail 5 "somebody else answers there; if they have a new key, compare fingerprints on another channel, then \
                                            `trefoil peers add --replace` and a new job"
    CertificateTheirsEnded: "certificate" Fail 5 "their operator must make a new key with `trefoil keygen`, and tell everybody its fingerprint"
    CertificateTheirsEarly: "certificate" Fail 5 "one of the two machines' clocks is wrong: set it"
    HandshakeStranger: "handshake" Fail 5 "their operator must add this fingerprint or approve the job"
    HandshakeOursEnded: "handshake" Fail 5 "make a new key with `trefoil keygen`; or, if the certificate is valid here, their clock is wrong"
    HandshakeNotTls: "handshake" Fail 5 "another program listens there: correct the port"
    HandshakeSilent: "handshake" Fail 5 "another program listens there, a proxy is in between, or the party is overloaded"
    HandshakeFailed: "handshake" Fail 5 "a proxy or a firewall in between may cut or inspect TLS: it must pass the bytes as they are"
    PingSilent: "ping" Fail 4 "the party is overloaded or broke off: look at its log"
    PingRefused: "ping" Fail 5 "look at their party's log"
    PingOther: "ping" Fail 5 "their program is of another kind or version: use the same release"
    VersionOther: "version" Fail 5 "use the same release everywhere: parties of different versions refuse each other"
    ProtocolOther: "version" Fail 5 "use the same release everywhere: parties of different protocols refuse each other"
    ClockOff: "clock" Warn 0 "set both clocks by NTP: certificates and logs depend on them"

    JobGoesOn: "standing" Ok 0 ""
    JobWaits: "standing" Ok 0 ""
    JobUnapproved: "standing" Warn 0 "their operator must look at it and run `trefoil job approve`"
    JobUnknown: "standing" Warn 0 "`trefoil job propose` sends it there"
    JobBroken: "standing" Warn 0 "see the party's log; `trefoil job resume` lets a failed job go on, a cancelled one stays so"
    JobUnasked: "standing" Fail 4 "look at their party's log"

    ServiceAnswers: "standing" Ok 0 ""
    ServiceWaits: "standing" Warn 0 "all three operators must approve it, and their parties find one another: look at the parties' logs"
    ServiceUnknown: "standing" Warn 0 "their operator must look at it and run `trefoil service approve`"
    ServiceEnded: "standing" Warn 0 "it answers no more; the operators may approve another one"
    ServiceUnasked: "standing" Fail 4 "look at their party's log"
}

/// Text of somebody else, fit for a line.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
