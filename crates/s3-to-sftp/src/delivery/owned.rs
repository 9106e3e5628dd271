//! The names on the server that belong to a delivery: its own temporary's, and those of the attempts before it.

use super::attempt::Attempt;
use crate::hand_over::Relay;
use crate::owner::Owner;
use crate::remote_path::{RemotePath, TemporaryPath};
use crate::rules::Rule;

/// The temporaries that earlier attempts may have left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What was handed over may have one of these names, oldest first.
    pub(super) handed_over: Vec<TemporaryPath>,
    /// Of no use to anybody.
    pub(super) others: Vec<TemporaryPath>,
}

impl<R: Relay> Attempt<'_, R> {
    /// Whose the temporary is. A file that is begun anew has another owner than one that was handed over: if this
    /// attempt dies, the next one must not take its beginning for what the record tells of.
    pub(super) fn owner(&self) -> String {
        let owner = self.delivery.owner;
        match (self.handed_over, self.begun) {
            (Some(handed_over), _) if !self.delivery.rules.hold(Rule::TakeOverByRename) => {
                handed_over.owner.clone()
            }
            (Some(_), None) => anew(owner),
            _ => owner.to_string(),
        }
    }

    /// The names to which attempts before this one may have moved the partner's old file aside.
    pub(super) fn left_aside(&self, path: &RemotePath) -> Vec<String> {
        let delivery = self.delivery;
        let own = self.owner();
        let handed_over = self.handed_over.map(|begun| begun.owner.clone());
        let before = delivery.owner.predecessors();
        let before = before.flat_map(|owner| {
            // Without a record nobody begins anew.
            let anew = self.handed_over.map(|_| anew(&owner));
            [Some(owner.to_string()), anew].into_iter().flatten()
        });
        let owners = handed_over.into_iter().chain(before);
        owners
            .filter(|owner| *owner != own)
            .map(|owner| {
                let tag = delivery.tag(self.version, path, &owner);
                path.aside(&delivery.settings.temporary_name, &tag).full
            })
            .collect()
    }

    pub(super) fn left(&self) -> Left {
        let delivery = self.delivery;
        let names = |owners: Vec<String>| {
            let owners = owners.into_iter();
            owners
                .filter_map(|owner| delivery.temporary(self.version, &owner))
                .collect()
        };
        let before: Vec<Owner> = delivery.owner.predecessors().collect();
        let plain = || before.iter().map(Owner::to_string);
        let Some(handed_over) = self.handed_over else {
            return Left {
                handed_over: Vec::new(),
                others: names(plain().collect()),
            };
        };
        let chain = std::iter::once(handed_over.owner.clone()).chain(plain());
        let begun_anew = before.iter().map(anew);
        if self.begun.is_some() {
            Left {
                handed_over: names(chain.collect()),
                others: names(begun_anew.chain([anew(delivery.owner)]).collect()),
            }
        } else {
            let own = delivery.owner.to_string();
            Left {
                handed_over: Vec::new(),
                others: names(chain.chain(begun_anew).chain([own]).collect()),
            }
        }
    }
}

fn anew(owner: &Owner) -> String {
    format!("{owner} anew")
}
