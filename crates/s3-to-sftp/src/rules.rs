//! The rules of an object's path, by name, so that a test build can take one out.
//!
//! A rule that no test misses is no rule. `tests/enumeration` runs its worlds without each of these and
//! has to fail. What ships is built without the feature `take-out-rules`, where every rule holds and
//! nothing can be asked for.

/// A rule of the path of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A temporary belongs to one delivery: its name has the owner in it.
    OneWriterPerTemporary,
    /// No OPEN carries TRUNC: what is written directly is written over, and only then cut.
    NeverTruncate,
    /// Only the OPEN that begins a file carries CREAT; one that goes on does not.
    CreateOnlyAtTheBeginning,
    /// A file is gone on with only where FSTAT behind the OPEN shows all that was acknowledged.
    BelieveOnlyFstat,
    /// Going on begins at the acknowledged frontier, not where sending stopped.
    GoOnFromTheFrontier,
    /// What an earlier connection wrote, and the server has not synced, is read back before it is gone on with:
    /// a server that went down may come back with zeros in a file of the right length.
    ReadBackWhatIsGoneOnWith,
    /// Another channel writes to a file only where opening it once more leaves it as it was, and the first one sees
    /// what it wrote.
    OneFileForAllChannels,
    /// The source is looked at before a rename, and what changed is begun anew.
    LastLook,
    /// That look is less than 2 s old when the rename goes out.
    FreshLook,
    /// The length that the server tells has to be the object's.
    CompareSize,
    /// A refused CLOSE or FSYNC fails the delivery, whatever STAT says.
    JudgeClose,
    /// The first large write is followed by a FSTAT: servers store 32 KiB of it and say OK.
    MistrustLargeWrites,
    /// All bytes are compared with S3's checksum.
    CompareChecksum,
    /// An old file is moved aside, never removed, before the new one has its name.
    MoveAsideNotRemove,
    /// Only the very file that the verification saw is moved aside.
    MoveAsideOnlyWhatWasSeen,
    /// An old file that was moved aside gets its name back when the delivery fails.
    MoveBack,
    /// A rename whose answer is lost counts only with evidence.
    EvidenceForLostRename,
    /// `skip` and `fail` never rename over a file.
    ConflictNeverReplaces,
    /// The source is deleted only after the rename.
    DeleteAfterPublish,
    /// It is deleted with `If-Match`.
    DeleteWithIfMatch,
    /// It is looked at once more before, where `If-Match` cannot tell.
    LookBeforeDelete,
    /// A hand-over takes the temporary over by a rename: whoever lost the name stops.
    TakeOverByRename,
    /// What a hand-over tells of is synced and closed before.
    HandOverDurable,
    /// A predecessor's temporary is removed by the next attempt of its chain.
    RemovePredecessors,
    /// A delivery that fails removes its temporary.
    RemoveOwn,
}

impl Rule {
    /// All of them.
    #[cfg(feature = "take-out-rules")]
    pub const ALL: [Self; 25] = [
        Self::OneWriterPerTemporary,
        Self::NeverTruncate,
        Self::CreateOnlyAtTheBeginning,
        Self::BelieveOnlyFstat,
        Self::GoOnFromTheFrontier,
        Self::ReadBackWhatIsGoneOnWith,
        Self::OneFileForAllChannels,
        Self::LastLook,
        Self::FreshLook,
        Self::CompareSize,
        Self::JudgeClose,
        Self::MistrustLargeWrites,
        Self::CompareChecksum,
        Self::MoveAsideNotRemove,
        Self::MoveAsideOnlyWhatWasSeen,
        Self::MoveBack,
        Self::EvidenceForLostRename,
        Self::ConflictNeverReplaces,
        Self::DeleteAfterPublish,
        Self::DeleteWithIfMatch,
        Self::LookBeforeDelete,
        Self::TakeOverByRename,
        Self::HandOverDurable,
        Self::RemovePredecessors,
        Self::RemoveOwn,
    ];
}

/// The rules that hold: all of them, except in a test build that takes one out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// A bit for each.
    #[cfg(feature = "take-out-rules")]
    taken_out: u32,
}

impl Rules {
    /// All but these.
    #[cfg(feature = "take-out-rules")]
    pub fn without(rules: &[Rule]) -> Self {
        let bits = rules.iter().map(|rule| 1 << *rule as u32);
        Self {
            taken_out: bits.fold(0, |all, bit| all | bit),
        }
    }

    #[cfg(feature = "take-out-rules")]
    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.taken_out & (1 << rule as u32) == 0
    }

    #[cfg(not(feature = "take-out-rules"))]
    pub(crate) const fn hold(self, _rule: Rule) -> bool {
        true
    }
}
