//! `make update` of the function that this one replaces.

use std::path::Path;

use tokio::process::Command;

use crate::account::{Account, architecture, package, text};
use crate::aws::{Aws, finish};

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[tokio::test]
async fn make_update_replaces_the_python_function_and_keeps_its_environment() {
    // Built by whoever runs this: `make update` finds nothing left to compile.
    package();
    let account = Account::new().await;
    let old = old_package(&account).await;
    let arn = account
        .create_function(
            "python3.12",
            "s3_to_sftp.on_trigger_event",
            60,
            Path::new(&old),
        )
        .await;
    account.notify_function(&arn).await;
    let before = account.configuration().await;
    assert_eq!(before["Runtime"], "python3.12");

    let said = make_update(&account, &arn).await;

    for change in [
        "python3.12 → provided.al2023",
        "s3_to_sftp.on_trigger_event → bootstrap",
    ] {
        assert!(said.contains(change), "{change} is not in\n{said}");
    }
    let after = account.configuration().await;
    assert_eq!(after["Runtime"], "provided.al2023");
    assert_eq!(after["Handler"], "bootstrap");
    assert_ne!(after["CodeSha256"], before["CodeSha256"]);
    for kept in [
        "Environment",
        "Timeout",
        "MemorySize",
        "Role",
        "FunctionArn",
    ] {
        assert!(!before[kept].is_null(), "{kept}");
        assert_eq!(after[kept], before[kept], "{kept}");
    }

    let key = "in/a b+ü.csv";
    account.upload(key, 100_001).await;
    account.assert_delivered(key, 100_001).await;

    // Once more: there is nothing left to switch.
    let said = make_update(&account, &arn).await;
    assert!(!said.contains('→'), "{said}");
}

/// A zip like the old function's.
async fn old_package(account: &Account) -> String {
    let module = account.write(
        "s3_to_sftp.py",
        "def on_trigger_event(event, context):\n    pass\n",
    );
    let zip = text(&module).replace("s3_to_sftp.py", "old.zip");
    let mut command = Command::new("zip");
    command.args(["-q", "-j", &zip, text(&module)]);
    let (well, _, stderr) = finish(command).await;
    assert!(well, "{stderr}");
    zip
}

async fn make_update(account: &Account, arn: &str) -> String {
    let mut command = Command::new("make");
    account.aws.configure(&mut command);
    // Those of a `make` around this test would set its variables anew.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"] {
        command.env_remove(name);
    }
    // The package of the other tests stays as it is while they read it.
    let zip = account.write("update.zip", "");
    std::fs::remove_file(&zip).expect("made a moment ago");
    // rustup and cargo live there.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command.args(["-C", ROOT, "update"]);
    command.arg(format!("ARN={arn}"));
    command.arg(format!("ARCH={}", architecture()));
    command.arg(format!("PACKAGE={}", text(&zip)));
    command.arg(format!("AWS_CLI={}", Aws::program().to_string_lossy()));
    let (well, stdout, stderr) = finish(command).await;
    assert!(well, "make update failed:\n{stdout}{stderr}");
    stdout
}
