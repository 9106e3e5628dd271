//! Where another program is ahead of the function.

use crate::record::{Figure, Record, Records};
use crate::tool::Tool;
use crate::workload::plan;

/// Less than this is noise.
const NOTICED: f64 = 1.02;

/// One figure of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The workload's name.
    pub workload: &'static str,
    /// What.
    pub figure: &'static str,
    /// Who is ahead.
    pub tool: Tool,
    /// The function's by theirs: above 1.
    pub factor: f64,
}

/// All of them: slower, more time on processors, more memory. By the byte or the file where payloads differ.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
pub fn all(records: &Records) -> Vec<Loss> {
    let figures: [(&str, Figure); 3] = [
        ("wall time", Record::time_per_unit),
        ("processor time", Record::cpu_per_unit),
        ("peak memory", |record| record.peak as f64),
    ];
    let mut losses = Vec::new();
    for workload in plan(false) {
        for tool in Tool::ALL {
            for (name, figure) in figures {
                let ratio = records.ratio(workload.name, (Tool::Function, tool), figure);
                if let Some(ratio) =
                    ratio.filter(|it| tool != Tool::Function && it.median > NOTICED)
                {
                    losses.push(Loss {
                        workload: workload.name,
                        figure: name,
                        tool,
                        factor: ratio.median,
                    });
                }
            }
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn who_is_ahead_is_named() {
        let mut records = Records::default();
        records.add(record("large-0ms", Tool::Function, 1, 4.0));
        records.add(record("large-0ms", Tool::Sftp, 1, 2.0));
        records.add(record("large-0ms", Tool::Rclone, 1, 8.0));
        let losses = all(&records);
        let told: Vec<_> = losses.iter().map(|it| (it.tool, it.figure)).collect();
        assert_eq!(
            told,
            [(Tool::Sftp, "wall time"), (Tool::Sftp, "processor time")]
        );
        assert_eq!(losses[0].factor, 2.0);
    }
}
