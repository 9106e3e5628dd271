//! The programs that are compared.

use std::fmt;
use std::str::FromStr;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// This project's `bootstrap`, under a Runtime API.
    Function,
    /// OpenSSH's `sftp -b`, from a local file.
    Sftp,
    /// rclone with its defaults.
    Rclone,
    /// rclone with more in flight.
    RcloneTuned,
    /// lftp with its defaults, from local files.
    Lftp,
    /// lftp with more in flight.
    LftpTuned,
    /// boto3 and paramiko, in the steps of the function that this project replaces.
    Python,
}

impl Tool {
    /// In the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Function,
        Self::Sftp,
        Self::Rclone,
        Self::RcloneTuned,
        Self::Lftp,
        Self::LftpTuned,
        Self::Python,
    ];

    /// As in the raw figures and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "s3-to-sftp",
            Self::Sftp => "sftp",
            Self::Rclone => "rclone",
            Self::RcloneTuned => "rclone-tuned",
            Self::Lftp => "lftp",
            Self::LftpTuned => "lftp-tuned",
            Self::Python => "python",
        }
    }

    /// Whether it reads S3 itself. Those that do not are given a local file, and so spared half of the work.
    #[must_use]
    pub fn reads_s3(self) -> bool {
        !matches!(self, Self::Sftp | Self::Lftp | Self::LftpTuned)
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.name() == text)
            .ok_or_else(|| format!("there is no tool {text}"))
    }
}
