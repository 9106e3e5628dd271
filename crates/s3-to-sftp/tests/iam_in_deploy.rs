//! The policies in deploy/iam allow what the code asks AWS for, and nothing else; the table beside them lists them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Who needs an action.
enum Need {
    /// The code, by these requests of the SDK.
    Requests(&'static [&'static str]),
    /// Likewise, of an SDK that is not part of every build of the workspace yet.
    RequestsOf(&'static str, &'static [&'static str]),
    /// AWS itself, in the name of the function's role.
    Aws,
}

use Need::{Aws, Requests, RequestsOf};

/// Every action that a policy may hold. S3 answers HEAD by the right to GET, and a missing object by the right to list.
const ACTIONS: [(&str, Need); 30] = [
    (
        "s3:GetObject",
        Requests(&["get_object", "head_object", "delete_object"]),
    ),
    (
        "s3:GetObjectVersion",
        Requests(&["get_object", "head_object"]),
    ),
    (
        "s3:ListBucket",
        Requests(&["get_object", "list_objects_v2"]),
    ),
    ("s3:DeleteObject", Requests(&["delete_object"])),
    ("s3:PutObject", Requests(&["copy_object", "put_object"])),
    ("events:PutEvents", Requests(&["put_events"])),
    ("s3:GetObjectTagging", Requests(&["copy_object"])),
    ("s3:GetObjectVersionTagging", Requests(&["copy_object"])),
    ("s3:PutObjectTagging", Requests(&["copy_object"])),
    (
        "sqs:SendMessage",
        Requests(&["send_message", "send_message_batch"]),
    ),
    (
        "sqs:ChangeMessageVisibility",
        Requests(&[
            "change_message_visibility",
            "change_message_visibility_batch",
        ]),
    ),
    ("lambda:InvokeFunction", Requests(&["invoke"])),
    (
        "lambda:GetFunctionConfiguration",
        Requests(&["get_function_configuration"]),
    ),
    (
        "secretsmanager:GetSecretValue",
        RequestsOf("aws-sdk-secretsmanager", &["get_secret_value"]),
    ),
    (
        "ssm:GetParameter",
        RequestsOf("aws-sdk-ssm", &["get_parameter"]),
    ),
    ("kms:Decrypt", Aws),
    ("kms:GenerateDataKey", Aws),
    ("logs:CreateLogGroup", Aws),
    ("logs:CreateLogStream", Aws),
    ("logs:PutLogEvents", Aws),
    ("sqs:ReceiveMessage", Requests(&["receive_message"])),
    ("sqs:DeleteMessage", Requests(&["delete_message"])),
    (
        "sqs:GetQueueAttributes",
        Requests(&["get_queue_attributes"]),
    ),
    ("ec2:CreateNetworkInterface", Aws),
    ("ec2:DeleteNetworkInterface", Aws),
    ("ec2:DescribeNetworkInterfaces", Aws),
    ("ec2:DescribeSubnets", Aws),
    ("ec2:AssignPrivateIpAddresses", Aws),
    ("ec2:UnassignPrivateIpAddresses", Aws),
    // For emulators, whose queues have other URLs: in no policy.
    ("sqs:GetQueueUrl", Requests(&["get_queue_url"])),
];

/// Before the name of a request stands one of these, blanks and line breaks left out.
const CLIENTS: [&str; 3] = ["client.", "sqs().", "lambda()."];

#[test]
fn policies_hold_the_actions_that_the_code_needs_and_no_others() {
    let requests = requests();
    let known: BTreeSet<&str> = ACTIONS.iter().map(|(action, _)| *action).collect();
    let lock = read("Cargo.lock");
    let mut explained = BTreeSet::new();
    for (action, need) in &ACTIONS {
        let names = match need {
            Requests(names) => *names,
            RequestsOf(sdk, names) if lock.contains(&format!("name = \"{sdk}\"")) => names,
            RequestsOf(..) | Aws => continue,
        };
        for name in names {
            assert!(
                requests.contains(*name),
                "{action} is for {name}, which nobody asks for"
            );
            explained.insert((*name).to_owned());
        }
    }
    assert_eq!(
        requests, explained,
        "requests in the code, and those that an action is known for"
    );

    let mut granted = BTreeSet::new();
    for (file, policy) in policies() {
        for statement in statements(&policy) {
            let actions = statement["Action"].as_array().expect("a list of actions");
            assert!(!actions.is_empty(), "{file}");
            for action in actions {
                let action = action.as_str().expect("an action is text");
                assert!(known.contains(action), "{file}: {action}");
                granted.insert(action.to_owned());
            }
        }
    }
    let missing: Vec<_> = known.iter().filter(|it| !granted.contains(**it)).collect();
    assert_eq!(missing, [&"sqs:GetQueueUrl"]);
}

#[test]
fn policies_are_narrow_and_of_every_partition() {
    for (file, policy) in policies() {
        assert_eq!(policy["Version"], "2012-10-17", "{file}");
        let mut names = BTreeSet::new();
        for statement in statements(&policy) {
            assert_eq!(statement["Effect"], "Allow", "{file}");
            assert!(
                names.insert(statement["Sid"].to_string()),
                "{file}: names twice"
            );
            let resources = match &statement["Resource"] {
                Value::Array(resources) => resources.clone(),
                resource => vec![resource.clone()],
            };
            for resource in resources {
                let resource = resource.as_str().expect("a resource is text");
                let is_narrow = resource.starts_with("arn:${Partition}:");
                assert!(
                    is_narrow || (file == "vpc.json" && resource == "*"),
                    "{file}: {resource}"
                );
                let service = resource.split(':').nth(2);
                let of_service = |action: &Value| {
                    service.is_none()
                        || action.as_str().and_then(|it| it.split(':').next()) == service
                };
                let actions = statement["Action"].as_array().expect("a list of actions");
                assert!(
                    actions.iter().all(of_service),
                    "{file}: {resource} and {actions:?}"
                );
            }
        }
    }
}

#[test]
fn the_table_beside_the_policies_lists_each_with_what_is_to_be_filled_in() {
    let readme = read("deploy/iam/README.md");
    let rows: BTreeMap<String, BTreeSet<String>> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let (file, rest) = row.split_once('`').expect("a name in backticks");
            let last = rest
                .trim_end_matches(['|', ' '])
                .rsplit('|')
                .next()
                .unwrap_or_default();
            let last = if rest.trim_end().ends_with("| |") {
                ""
            } else {
                last
            };
            (
                file.to_owned(),
                last.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect(),
            )
        })
        .collect();
    let everywhere = ["Partition", "Region", "Account"].map(str::to_owned);
    let files: BTreeMap<String, BTreeSet<String>> = policies()
        .into_iter()
        .map(|(file, policy)| {
            let text = policy.to_string();
            let names = text
                .split("${")
                .skip(1)
                .filter_map(|it| it.split('}').next());
            let names = names
                .map(str::to_owned)
                .filter(|it| !everywhere.contains(it));
            (file, names.collect())
        })
        .collect();
    assert_eq!(rows, files);
}

/// What the shipped crates ask AWS for.
fn requests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for name in ["s3-to-sftp", "lambda", "cli"] {
        sources(&root().join("crates").join(name).join("src"), &mut files);
    }
    let mut requests = BTreeSet::new();
    for file in files {
        let code = fs::read_to_string(&file).expect("a source is text");
        let code: String = code.split_whitespace().collect();
        for client in CLIENTS {
            for (at, _) in code.match_indices(client) {
                let name: String = code[at + client.len()..]
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
                    .collect();
                let behind = &code[at + client.len() + name.len()..];
                if behind.starts_with("().") {
                    requests.insert(name);
                }
            }
        }
    }
    requests
}

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

fn policies() -> BTreeMap<String, Value> {
    let directory = root().join("deploy/iam");
    let entries = fs::read_dir(directory).expect("the policies' directory");
    let mut policies = BTreeMap::new();
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name == "README.md" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a policy is text");
        let policy = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        policies.insert(name, policy);
    }
    assert!(!policies.is_empty());
    policies
}

fn statements(policy: &Value) -> &[Value] {
    policy["Statement"]
        .as_array()
        .expect("a list of statements")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
