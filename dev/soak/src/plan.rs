//! What happens in which round: it follows from the seed, the number of kills and the size, and from nothing else.

use std::fmt;
use std::time::Duration;

use crate::random::Random;
use crate::world::ServerKind;

/// When something happens in an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When so many bytes have gone through the line to the server.
    Sent(u64),
    /// When so many thousandths of the time of an undisturbed delivery have passed.
    Passed(u32),
    /// When the function makes this request of S3, which is answered only after what happens.
    Request(&'static str),
}

/// How the connection of a frozen process ends, before another one delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The server ends it, who hears nothing any more.
    Server,
    /// The network does.
    Cut,
    /// It does not end.
    Endless,
}

/// What happens to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// The process is killed (SIGKILL).
    Kill(Moment),
    /// The process is stopped (SIGSTOP), and goes on after another one has delivered.
    Freeze {
        /// When.
        moment: Moment,
        /// What becomes of its connection.
        patience: Patience,
        /// The other delivers the same event again; else an event of its own.
        is_retry: bool,
        /// The object is replaced meanwhile, and the other's event tells of that.
        replaced: bool,
    },
    /// The server is killed and started again.
    Restart {
        /// When.
        moment: Moment,
        /// It is back while the attempt still runs.
        at_once: bool,
    },
    /// The line is cut after so many bytes.
    Cut(u64),
    /// Nothing goes through the line for some time, in both directions.
    Stall(Moment, Duration),
    /// The line takes so many bytes per second.
    Slow(u64),
    /// S3 answers a request with an error, so many times.
    Refuse {
        /// Which request.
        operation: &'static str,
        /// HTTP's status: 500 or 503.
        status: u16,
        /// How often; the SDK alone tries three times.
        times: u32,
    },
    /// S3's answer breaks off, after so many bytes, so many times.
    CutBody {
        /// Bytes that arrive.
        after: u64,
        /// How often.
        times: u32,
    },
    /// A byte of the object arrives wrong.
    Corrupt(u64),
    /// S3's answer breaks off, and a byte of the rest arrives wrong.
    CutAndCorrupt {
        /// Bytes that arrive at first.
        after: u64,
        /// Of the rest.
        offset: u64,
    },
    /// Another object takes the key when so many bytes have been read.
    Replace(u64),
    /// S3 deletes, and its answer is lost.
    LoseDelete,
}

/// How an event reaches the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// From S3 itself: a retry keeps the request id.
    Direct,
    /// From a queue: a message that comes again has the next receive count.
    Queue,
}

/// One object and what happens while it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Its number in the plan.
    pub number: u32,
    /// The server.
    pub server: ServerKind,
    /// How the event comes.
    pub trigger: Trigger,
    /// The object's size.
    pub size: u64,
    /// Where in the ramp the object begins.
    pub offset: u64,
    /// What happens to the first attempt, the second, and so on. All others are left alone.
    pub disturbances: Vec<Disturbance>,
    /// A process that survived an attempt gets the next event, too.
    pub is_warm: bool,
}

/// All rounds.
#[derive(Debug, Clone)]
pub struct Plan {
    seed: u64,
    size: u64,
    servers: Vec<ServerKind>,
    kinds: Vec<(Kind, ServerKind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kill,
    Freeze,
    Restart,
    Cut,
    Stall,
    Slow,
    Refuse,
    CutBody,
    Corrupt,
    CutAndCorrupt,
    Replace,
    LoseDelete,
}

const OTHERS: [Kind; 10] = [
    Kind::Restart,
    Kind::Cut,
    Kind::Stall,
    Kind::Slow,
    Kind::Refuse,
    Kind::CutBody,
    Kind::Corrupt,
    Kind::CutAndCorrupt,
    Kind::Replace,
    Kind::LoseDelete,
];

impl Plan {
    /// `kills` rounds that kill or freeze the function, and for each twelve of them one of every other kind.
    #[must_use]
    pub fn new(seed: u64, kills: u32, size: u64, servers: &[ServerKind]) -> Self {
        let mut kinds: Vec<Kind> = (0..kills)
            .map(|number| {
                if number % 10 % 3 == 1 {
                    Kind::Freeze
                } else {
                    Kind::Kill
                }
            })
            .collect();
        for _ in 0..(kills / 12).max(1) {
            kinds.extend(OTHERS);
        }
        // The servers take turns within each kind.
        kinds.sort_by_key(|kind| *kind as u8);
        let mut kinds: Vec<_> = kinds
            .into_iter()
            .zip(servers.iter().copied().cycle())
            .collect();
        Random::new(seed).shuffle(&mut kinds);
        Self {
            seed,
            size,
            servers: servers.to_vec(),
            kinds,
        }
    }

    /// How many rounds were planned. There are more, if some kills come too late: see [`round`](Self::round).
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.kinds.len()).expect("a machine's life is shorter")
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// A round; beyond the plan's end each kills the function in the midst of the transfer.
    #[must_use]
    pub fn round(&self, number: u32) -> Round {
        let mut random = Random::of_round(self.seed, number);
        let index = usize::try_from(number).expect("an index");
        let planned = self.kinds.get(index).copied();
        let (kind, server) =
            planned.unwrap_or((Kind::Kill, self.servers[index % self.servers.len()]));
        // A third have sizes that no block divides.
        let size = self.size
            - if random.one_in(3) {
                random.below(5000).min(self.size / 2)
            } else {
                0
            };
        let mut disturbances = vec![if planned.is_some() {
            disturbance(kind, &mut random, size)
        } else {
            Disturbance::Kill(Moment::Sent(random.below(size)))
        }];
        // Misfortunes seldom come singly: the next attempt may be killed, too.
        while disturbances.len() < 4 && !matches!(kind, Kind::Freeze) && random.one_in(4) {
            disturbances.push(Disturbance::Kill(moment(&mut random, size)));
        }
        Round {
            number,
            server,
            trigger: if random.one_in(2) {
                Trigger::Direct
            } else {
                Trigger::Queue
            },
            size,
            offset: random.below(251),
            disturbances,
            is_warm: random.one_in(2),
        }
    }
}

fn moment(random: &mut Random, size: u64) -> Moment {
    match random.below(10) {
        0..=4 => Moment::Sent(random.below(size)),
        // The end is where most can go wrong: the verification, the rename, the delete.
        5 => Moment::Sent(size),
        6 => Moment::Request("HeadObject"),
        7 => Moment::Request("DeleteObject"),
        _ => Moment::Passed(u32::try_from(random.below(1000)).expect("below a thousand")),
    }
}

fn disturbance(kind: Kind, random: &mut Random, size: u64) -> Disturbance {
    let few = |random: &mut Random| u32::try_from(1 + random.below(6)).expect("few");
    match kind {
        Kind::Kill => Disturbance::Kill(moment(random, size)),
        Kind::Freeze => {
            let is_retry = random.one_in(2);
            let patience = match random.below(3) {
                0 => Patience::Server,
                // A retry comes after its predecessor's end, and so after that of its connection.
                1 if !is_retry => Patience::Endless,
                _ => Patience::Cut,
            };
            Disturbance::Freeze {
                moment: moment(random, size),
                patience,
                is_retry,
                replaced: !is_retry && random.one_in(2),
            }
        }
        Kind::Restart => Disturbance::Restart {
            moment: moment(random, size),
            at_once: random.one_in(2),
        },
        Kind::Cut => Disturbance::Cut(random.below(size)),
        Kind::Stall => Disturbance::Stall(
            moment(random, size),
            Duration::from_millis(500 + random.below(6500)),
        ),
        Kind::Slow => Disturbance::Slow((size / (4 + random.below(8))).max(1)),
        Kind::Refuse => Disturbance::Refuse {
            operation: ["GetObject", "HeadObject", "DeleteObject"]
                [usize::try_from(random.below(3)).expect("below three")],
            status: if random.one_in(2) { 500 } else { 503 },
            times: few(random),
        },
        Kind::CutBody => Disturbance::CutBody {
            after: random.below(size),
            times: few(random),
        },
        Kind::Corrupt => Disturbance::Corrupt(random.below(size)),
        Kind::CutAndCorrupt => {
            let after = random.below(size);
            Disturbance::CutAndCorrupt {
                after,
                offset: random.below(size - after),
            }
        }
        Kind::Replace => Disturbance::Replace(random.below(size)),
        Kind::LoseDelete => Disturbance::LoseDelete,
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(bytes) => write!(f, "after {bytes} bytes"),
            Self::Passed(thousandths) => {
                write!(
                    f,
                    "after {}.{} % of the time",
                    thousandths / 10,
                    thousandths % 10
                )
            }
            Self::Request(operation) => write!(f, "at {operation}"),
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(moment) => write!(f, "killed {moment}"),
            Self::Freeze {
                moment,
                patience,
                is_retry,
                replaced,
            } => {
                write!(f, "frozen {moment}, ")?;
                f.write_str(match patience {
                    Patience::Server => "given up by the server",
                    Patience::Cut => "cut off",
                    Patience::Endless => "still connected",
                })?;
                f.write_str(match (is_retry, replaced) {
                    (true, _) => ", overtaken by its retry",
                    (false, false) => ", overtaken by a duplicate",
                    (false, true) => ", overtaken by a newer object",
                })
            }
            Self::Restart { moment, at_once } => {
                let back = if *at_once { "at once" } else { "for the retry" };
                write!(f, "server killed {moment}, back {back}")
            }
            Self::Cut(bytes) => write!(f, "line cut after {bytes} bytes"),
            Self::Stall(moment, time) => {
                write!(f, "line stalled {moment} for {} ms", time.as_millis())
            }
            Self::Slow(rate) => write!(f, "line at {rate} bytes/s"),
            Self::Refuse {
                operation,
                status,
                times,
            } => write!(f, "S3 answers {operation} with {status}, {times} times"),
            Self::CutBody { after, times } => {
                write!(
                    f,
                    "S3's answer breaks off after {after} bytes, {times} times"
                )
            }
            Self::Corrupt(offset) => write!(f, "byte {offset} arrives wrong"),
            Self::CutAndCorrupt { after, offset } => write!(
                f,
                "S3's answer breaks off after {after} bytes, and byte {offset} of the rest arrives wrong"
            ),
            Self::Replace(offset) => write!(f, "object replaced when {offset} bytes are read"),
            Self::LoseDelete => f.write_str("S3's answer to the delete is lost"),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trigger = match self.trigger {
            Trigger::Direct => "direct",
            Trigger::Queue => "queue",
        };
        let warm = if self.is_warm { "warm" } else { "cold" };
        write!(
            f,
            "round {} {} {trigger} {warm} {} bytes: ",
            self.number, self.server, self.size
        )?;
        for (number, disturbance) in self.disturbances.iter().enumerate() {
            if number > 0 {
                f.write_str("; then ")?;
            }
            disturbance.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [ServerKind; 2] = [ServerKind::Sshd, ServerKind::Rclone];

    #[test]
    fn a_seed_is_a_plan() {
        let (one, same) = (
            Plan::new(7, 50, 1 << 28, &BOTH),
            Plan::new(7, 50, 1 << 28, &BOTH),
        );
        let other = Plan::new(8, 50, 1 << 28, &BOTH);
        let rounds = |plan: &Plan| {
            (0..plan.len() + 3)
                .map(|n| plan.round(n))
                .collect::<Vec<_>>()
        };
        assert_eq!(rounds(&one), rounds(&same));
        assert_ne!(rounds(&one), rounds(&other));
    }

    #[test]
    fn every_kind_meets_every_server_and_kills_are_as_many_as_asked_for() {
        let plan = Plan::new(1, 50, 1 << 20, &BOTH);
        for kind in OTHERS.into_iter().chain([Kind::Kill, Kind::Freeze]) {
            for server in BOTH {
                assert!(plan.kinds.contains(&(kind, server)), "{kind:?} {server}");
            }
        }
        let is_kill = |(kind, _): &&(Kind, ServerKind)| matches!(kind, Kind::Kill | Kind::Freeze);
        assert_eq!(plan.kinds.iter().filter(is_kill).count(), 50);
    }

    #[test]
    fn what_happens_happens_within_the_object() {
        let plan = Plan::new(3, 200, 4096, &BOTH);
        for number in 0..plan.len() {
            let round = plan.round(number);
            for disturbance in round.disturbances {
                match disturbance {
                    Disturbance::Kill(Moment::Sent(bytes)) => assert!(bytes <= round.size),
                    Disturbance::Cut(bytes)
                    | Disturbance::Corrupt(bytes)
                    | Disturbance::Replace(bytes)
                    | Disturbance::CutBody { after: bytes, .. } => assert!(bytes < round.size),
                    Disturbance::CutAndCorrupt { after, offset } => {
                        assert!(after + offset < round.size);
                    }
                    _ => {}
                }
            }
        }
    }
}
