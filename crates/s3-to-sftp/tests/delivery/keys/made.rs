//! Keys, in each format, by the programs that people make them with.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use tempfile::TempDir;
use testkit::secret;
use testkit::secrets;

pub(super) const PASSPHRASE: &str = secret!("correct horse, battery & staple");

/// A type of key, with its size where the type has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa(u32),
    Ecdsa(u32),
    Ed25519,
}

/// A private key in some format, and the line that a server is told.
pub(super) struct Made {
    pub(super) private: String,
    pub(super) public: String,
}

/// A directory in which programs make and convert keys.
pub(super) struct Workshop(TempDir);

impl Workshop {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        secrets::register(text);
        let path = self.path(name);
        fs::write(&path, text).expect("a new file can be written");
        // ssh-keygen refuses private keys that others may read.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("one's own file");
        path
    }

    pub(super) fn read(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        secrets::register(&text);
        text
    }

    /// Runs a program here, and gives its standard output.
    pub(super) fn run<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> Vec<u8> {
        run(program, arguments, self.0.path())
    }

    /// A key as OpenSSH writes it, in the file `id`; the line of its public half.
    pub(super) fn openssh(&self, kind: Kind) -> String {
        self.write("id", &generated(kind));
        let public = self.run("ssh-keygen", &["-y", "-f", "id"]);
        String::from_utf8(public)
            .expect("a line of text")
            .trim()
            .to_owned()
    }

    /// A key in the format that a row of the table is named after.
    pub(super) fn make(&self, kind: Kind, format: &str) -> Made {
        if kind == Kind::Ed25519 && format.starts_with("pkcs8") {
            return self.ed25519_of_openssl(format);
        }
        let public = self.openssh(kind);
        let phrase = format!("pass:{PASSPHRASE}");
        let phrase_file = self.write("phrase", &format!("{PASSPHRASE}\n"));
        let phrase_file = phrase_file.to_str().expect("a path of text");
        match format {
            "openssh" => {}
            "openssh_encrypted" => self.rewrite("RFC4716", PASSPHRASE),
            "pkcs1" | "sec1" => self.rewrite("PEM", ""),
            "pkcs1_encrypted" => {
                self.rewrite("PEM", "");
                let options = ["-aes256", "-passout", &phrase, "-in", "id", "-out", "id"];
                self.run(
                    "openssl",
                    &[&["rsa", "-traditional"][..], &options].concat(),
                );
            }
            "sec1_encrypted" => {
                self.rewrite("PEM", "");
                self.by_openssl(&["ec", "-aes256", "-passout", &phrase]);
            }
            "pkcs8" => self.rewrite("PKCS8", ""),
            "pkcs8_encrypted" => {
                self.rewrite("PKCS8", "");
                self.to_pkcs8(&["-v2", "aes-256-cbc", "-passout", &phrase]);
            }
            "ppk2" => self.to_putty(&["--ppk-param", "version=2"]),
            "ppk3" => self.to_putty(&["--ppk-param", "version=3"]),
            "ppk2_encrypted" => {
                self.to_putty(&["--ppk-param", "version=2", "--new-passphrase", phrase_file])
            }
            "ppk3_encrypted" => self.to_putty(&[
                "--ppk-param",
                "version=3,kdf=argon2id,passes=3",
                "--new-passphrase",
                phrase_file,
            ]),
            other => panic!("no format is called {other}"),
        }
        Made {
            private: self.read("id"),
            public,
        }
    }

    /// Writes `id` anew, by `ssh-keygen`.
    pub(super) fn rewrite(&self, format: &str, passphrase: &str) {
        let options = ["-q", "-p", "-m", format, "-P", "", "-N", passphrase];
        self.run("ssh-keygen", &[&options[..], &["-f", "id"]].concat());
    }

    /// Writes `id` anew in PKCS#8, by `openssl`.
    pub(super) fn to_pkcs8(&self, options: &[&str]) {
        self.by_openssl(&[&["pkcs8", "-topk8"][..], options].concat());
    }

    /// Writes `id` anew, by `openssl`, which opens what it writes before it reads.
    pub(super) fn by_openssl(&self, command: &[&str]) {
        let files = ["-in", "id", "-out", "id.new"];
        self.run("openssl", &[command, &files].concat());
        fs::rename(self.path("id.new"), self.path("id")).expect("it was made");
    }

    /// Writes `id` anew, by `puttygen`.
    pub(super) fn to_putty(&self, options: &[&str]) {
        let files = ["id", "-q", "-O", "private", "-o", "id.ppk"];
        self.run("puttygen", &[&files[..], options].concat());
        fs::rename(self.path("id.ppk"), self.path("id")).expect("it was made");
    }

    /// OpenSSH reads no ed25519 key in PKCS#8 before its release 9.6, and PuTTY none at all.
    fn ed25519_of_openssl(&self, format: &str) -> Made {
        self.run(
            "openssl",
            &["genpkey", "-algorithm", "ed25519", "-out", "id"],
        );
        let der = self.run(
            "openssl",
            &["pkey", "-in", "id", "-pubout", "-outform", "DER"],
        );
        if format == "pkcs8_encrypted" {
            let phrase = format!("pass:{PASSPHRASE}");
            self.to_pkcs8(&["-v2", "aes-256-cbc", "-passout", &phrase]);
        }
        // RFC 8410: the key's 32 bytes are the last ones. RFC 8709: they stand behind the type's name.
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend_from_slice(&der[der.len() - 32..]);
        Made {
            private: self.read("id"),
            public: format!("ssh-ed25519 {}", Base64::encode_string(&blob)),
        }
    }
}

fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S], directory: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed (`make test` installs it): {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} failed: {said}");
    output.stdout
}

/// A key that `ssh-keygen` made, of all tests and of all runs: RSA keys take seconds. It is good for tests alone.
fn generated(kind: Kind) -> String {
    let (name, bits) = match kind {
        // Of published primes, which is quicker, and which nobody can take for a secret: those of 4096 bits of RFC 3526
        // (group 16) and RFC 7919 (ffdhe4096).
        Kind::Rsa(8192) => return rewritten(include_str!("../../keys/rsa_8192")),
        Kind::Rsa(bits) => ("rsa", bits),
        Kind::Ecdsa(bits) => ("ecdsa", bits),
        Kind::Ed25519 => ("ed25519", 256),
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
    fs::create_dir_all(&directory).expect("the target directory can be written to");
    let made = directory.join(format!("{name}-{bits}"));
    // Of the tests that run at the same time, one makes it.
    let lock = File::create(directory.join(format!("{name}-{bits}.lock"))).expect("it can be made");
    lock.lock().expect("it can be locked");
    if !made.exists() {
        let bits = bits.to_string();
        let arguments = [
            "-q", "-t", name, "-b", &bits, "-C", "", "-N", "", "-f", "new",
        ];
        let new = tempfile::tempdir_in(&directory).expect("a directory");
        run("ssh-keygen", &arguments, new.path());
        fs::rename(new.path().join("new"), &made).expect("it was made");
    }
    fs::read_to_string(made).expect("it was made")
}

/// In the format that `ssh-keygen` writes by itself.
fn rewritten(text: &str) -> String {
    let workshop = Workshop::new();
    workshop.write("id", text);
    workshop.rewrite("RFC4716", "");
    workshop.read("id")
}
