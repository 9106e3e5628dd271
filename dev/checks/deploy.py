"""The templates in deploy/: what they promise beside being well formed, and whether the Terraform module keeps step with them.

cfn-lint (deploy.sh) says that a template can be deployed; this says that it is the one that docs/deploy.md describes.
"""

import glob
import json
import re
import sys

import hcl2
import yaml

# The most that CloudFormation takes without a bucket for the template.
LARGEST_TEMPLATE = 51_200
# Lambda: "at least six times the function's time-out".
VISIBILITY_FACTOR = 6
DAY = 24 * 60 * 60
FOURTEEN_DAYS = 14 * DAY

# Settings that no template sets, and why.
NOT_IN_A_TEMPLATE = {
    "SSH_PASSWORD": "the secret's",
    "SSH_PRIVATE_KEY": "the secret's",
    "SSH_PASSPHRASE": "the secret's",
    "LOGGING_LEVEL": "ApplicationLogLevel goes before it",
    # The alarm and the dashboard look for them under these names.
    "POWERTOOLS_METRICS_NAMESPACE": "the stack's own",
    "POWERTOOLS_METRICS_DISABLED": "the stack's own",
    "POWERTOOLS_SERVICE_NAME": "the stack's own",
}

# Policies, and the settings that they are for.
RECEIPTS = {"receipt-bus": "RECEIPT_BUS", "receipt-prefix": "RECEIPT_PREFIX"}

# What CloudFormation makes in one resource, Terraform makes in these.
TERRAFORM = {
    "AWS::Events::Rule": ["aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"],
    "AWS::SQS::Queue": ["aws_sqs_queue"],
    "AWS::SQS::QueuePolicy": ["aws_sqs_queue_policy"],
    "AWS::Lambda::Function": ["aws_lambda_function", "aws_lambda_function_recursion_config"],
    "AWS::Lambda::EventSourceMapping": ["aws_lambda_event_source_mapping"],
    "AWS::SecretsManager::Secret": ["aws_secretsmanager_secret"],
    "AWS::IAM::Role": ["aws_iam_role"],
    "AWS::Scheduler::Schedule": ["aws_scheduler_schedule"],
    "AWS::Logs::LogGroup": ["aws_cloudwatch_log_group"],
    "AWS::Logs::MetricFilter": ["aws_cloudwatch_log_metric_filter"],
    "AWS::CloudWatch::Alarm": ["aws_cloudwatch_metric_alarm"],
    "AWS::CloudWatch::Dashboard": ["aws_cloudwatch_dashboard"],
}
# A role's policies are properties of it in CloudFormation.
ROLE_POLICIES = {("aws_iam_role_policy", name) for name in ("policy", "receipt_bus", "kms", "sweep")}
# Of what an ARN names, by resources of their own in the module: the key, and the bus.
BY_ARN = {"kms", "receipt-bus"}

complaints = []


def expect(holds, text):
    if not holds:
        complaints.append(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# --- CloudFormation ---


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, as their long ones."""


def short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", short_form)


def template(path):
    text = read(path)
    expect(len(text.encode()) <= LARGEST_TEMPLATE, f"{path} is larger than {LARGEST_TEMPLATE} bytes")
    return yaml.load(text, Loader)


def walk(value):
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    for child in children:
        yield from walk(child)


def properties(template, name):
    return template["Resources"][name]["Properties"]


# The names that the policies in deploy/iam leave open, as the templates say them.
OPEN = {
    "AWS::Partition": "${Partition}",
    "AWS::Region": "${Region}",
    "AWS::AccountId": "${Account}",
    "AWS::StackName": "${Function}",
}
ARNS = {
    ("Queue", "Arn"): "arn:${Partition}:sqs:${Region}:${Account}:${Queue}",
    ("DeadLetterQueue", "Arn"): "arn:${Partition}:sqs:${Region}:${Account}:${DeadLetterQueue}",
    ("Secret", "Id"): "arn:${Partition}:secretsmanager:${Region}:${Account}:secret:${Secret}-??????",
}
KEY = "arn:${Partition}:kms:${Region}:${Account}:key/${KmsKey}"
# Parameters that are ARNs themselves.
PARAMETERS = {
    "KmsKey": KEY,
    "BucketKmsKey": KEY,
    "ReceiptBus": "arn:${Partition}:events:${Region}:${Account}:event-bus/${ReceiptBus}",
}


def as_in_iam(value):
    """A statement of a template with the names of deploy/iam."""
    if isinstance(value, list):
        items = [as_in_iam(item) for item in value]
        # Either key, each under its condition, is the same text there.
        return KEY if items and all(item == KEY for item in items) else items
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return re.sub(r"\$\{(AWS::\w+)\}", lambda it: OPEN[it[1]], value["Fn::Sub"])
    if "Fn::GetAtt" in value:
        return ARNS[tuple(value["Fn::GetAtt"])]
    if "Fn::If" in value:
        return as_in_iam(value["Fn::If"][1])
    if value.get("Ref") in PARAMETERS:
        return PARAMETERS[value["Ref"]]
    return {name: as_in_iam(item) for name, item in value.items()}


def policies(template):
    """The function's policies by name, whatever their conditions."""
    found = {}
    for entry in properties(template, "Role")["Policies"]:
        policy = entry["Fn::If"][1] if "Fn::If" in entry else entry
        found[policy["PolicyName"]] = policy["PolicyDocument"]
    return found


def check_policies(path, template):
    for name, document in policies(template).items():
        expected = json.loads(read(f"deploy/iam/{name}.json"))
        expect(as_in_iam(document) == expected, f"{path}: the policy {name} is not that of deploy/iam/{name}.json")


def check_settings(path, template, all_of_them):
    table = read("README.md").split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    settings = set(re.findall(r"^\| `([A-Z0-9_]+)`", table, re.MULTILINE))
    expect(len(settings) > 20, "the README's table of settings was not found")
    variables = properties(template, "Function")["Environment"]["Variables"]
    expect(set(variables) <= settings, f"{path}: no settings: {sorted(set(variables) - settings)}")
    if all_of_them:
        missing = settings - set(variables) - set(NOT_IN_A_TEMPLATE)
        expect(not missing, f"{path} sets nothing of {sorted(missing)}: a parameter, or a reason in dev/checks/deploy.py")
    expect(variables["SSH_KEEP_CONNECTION"] == "no", f"{path}: a frozen environment would hold its connection")
    expect("SSH_PASSWORD" not in variables, f"{path} holds a password")
    for name, setting in RECEIPTS.items():
        expect((name in policies(template)) == (setting in variables), f"{path}: {setting} and its policy go together")


def check_parameters(path, template):
    for name, parameter in template["Parameters"].items():
        # Whoever may read a stack may read its parameters, NoEcho or not, in the function's environment.
        is_secret = re.search("password|passphrase|privatekey|secret", name, re.IGNORECASE) or parameter.get("NoEcho")
        expect(not is_secret, f"{path}: the parameter {name} would hold a secret")
    secret = properties(template, "Secret")
    expect(not {"SecretString", "GenerateSecretString"} & set(secret), f"{path}: the secret has a value in the template")
    references = {it["Ref"] for it in walk(template) if isinstance(it, dict) and "Ref" in it}
    texts = [it["Fn::Sub"] for it in walk(template) if isinstance(it, dict) and "Fn::Sub" in it]
    references |= {name for text in texts for name in re.findall(r"\$\{(\w+)", text)}
    unused = set(template["Parameters"]) - references
    expect(not unused, f"{path}: parameters without use: {sorted(unused)}")


def check_services(path, template):
    """A service acts for this account and this resource, or not at all."""
    for value in walk(template):
        service = value.get("Principal", {}) if isinstance(value, dict) else {}
        if not isinstance(service, dict) or service.get("Service") in (None, "lambda.amazonaws.com"):
            continue
        keys = {key for test in value.get("Condition", {}).values() for key in test}
        expect(
            keys == {"aws:SourceArn", "aws:SourceAccount"},
            f"{path}: {service['Service']} is not bound to aws:SourceArn and aws:SourceAccount",
        )
    permissions = [it for it in template["Resources"].values() if it["Type"] == "AWS::Lambda::Permission"]
    for permission in permissions:
        expect({"SourceArn", "SourceAccount"} <= set(permission["Properties"]), f"{path}: whoever may call the function")


def waits():
    """The seconds that a failed message waits after each receive, from the code, without the jitter."""
    code = read("crates/s3-to-sftp/src/batch/backoff.rs")
    first = int(re.search(r"const FIRST: i32 = (\d+);", code)[1])
    factors = re.search(r"const LONGEST: i32 = (\d+) \* (\d+);", code)
    longest = int(factors[1]) * int(factors[2])
    receives = 0
    while True:
        yield min(first << min(receives, 16), longest)
        receives += 1


def check_queue(path, template):
    queue, dead = properties(template, "Queue"), properties(template, "DeadLetterQueue")
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    # It is given up at the last receive, so the wait behind it does not count.
    total = sum(wait for wait, _ in zip(waits(), range(receives - 1)))
    expect(0.95 * DAY <= total <= 1.05 * DAY, f"{path}: {receives} receives are {total / 3600:.1f} hours, not about a day")
    for name, it in ("Queue", queue), ("DeadLetterQueue", dead):
        expect(it["MessageRetentionPeriod"] == FOURTEEN_DAYS, f"{path}: {name} forgets before 14 days")
    mapping = template["Mappings"]["Visibility"]
    expect(
        sorted(mapping) == sorted(template["Parameters"]["Timeout"]["AllowedValues"]),
        f"{path}: the time-outs are not those of the mapping",
    )
    for timeout, it in mapping.items():
        expect(it["Seconds"] >= VISIBILITY_FACTOR * int(timeout), f"{path}: visibility for a time-out of {timeout} s")
        # A receive takes so long where the function may not change the visibility.
        expect(receives * it["Seconds"] < FOURTEEN_DAYS, f"{path}: messages are forgotten before {receives} receives")
    source = properties(template, "EventSourceMapping")
    expect(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], f"{path}: failed messages would be deleted")
    expect("ScalingConfig" in source, f"{path}: nothing bounds the partner's connections")


def check_docs(queue, direct):
    """The parameters that docs/deploy.md gives are the templates', and none that is required is left out."""
    docs = read("docs/deploy.md")
    example = json.loads(docs.split("```json\n")[1].split("```")[0])
    command = docs.split("--template-file deploy/direct.yaml")[1].split("```")[0]
    for path, it, given in (
        ("deploy/cloudformation.yaml", queue, [text.split("=")[0] for text in example]),
        ("deploy/direct.yaml", direct, re.findall(r"(\w+)=", command)),
    ):
        unknown = set(given) - set(it["Parameters"])
        expect(not unknown, f"docs/deploy.md: {sorted(unknown)} are no parameters of {path}")
        required = {name for name, parameter in it["Parameters"].items() if "Default" not in parameter}
        expect(required <= set(given), f"docs/deploy.md leaves out {sorted(required - set(given))} of {path}")
    receives = properties(queue, "Queue")["RedrivePolicy"]["maxReceiveCount"]
    expect(f"{receives} receives" in docs, f"docs/deploy.md does not speak of {receives} receives")


# --- Terraform ---


def plain(value):
    """What python-hcl2 has read, without its quotes and notes."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def module():
    resources, variables, local = {}, {}, {}
    for path in sorted(glob.glob("deploy/terraform/*.tf")):
        with open(path, encoding="utf-8") as file:
            parsed = plain(hcl2.load(file))
        for block in parsed.get("resource", []):
            for kind, named in block.items():
                resources.update({(kind, name): body for name, body in named.items()})
        for block in parsed.get("variable", []):
            variables.update(block)
        for block in parsed.get("locals", []):
            local.update(block)
    return resources, variables, local


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def check_terraform(path, template):
    resources, variables, local = module()
    expected = set(ROLE_POLICIES)
    for name, resource in template["Resources"].items():
        expected |= {(kind, snake(name)) for kind in TERRAFORM[resource["Type"]]}
    expect(set(resources) == expected, f"{path} and the module differ in {sorted(set(resources) ^ expected)}")
    if set(resources) != expected:
        return

    for name, resource in template["Resources"].items():
        kind = TERRAFORM[resource["Type"]][0]
        check_same(name, resource["Type"], resource["Properties"], resources[kind, snake(name)], local)

    queue = resources["aws_sqs_queue", "queue"]
    receives = properties(template, "Queue")["RedrivePolicy"]["maxReceiveCount"]
    expect(queue["visibility_timeout_seconds"] == f"${{{VISIBILITY_FACTOR} * var.timeout}}", "module: visibility")
    expect(f"maxReceiveCount = {receives}}}" in queue["redrive_policy"], "module: maxReceiveCount")
    source = resources["aws_lambda_event_source_mapping", "event_source_mapping"]
    expect(source["function_response_types"] == ["ReportBatchItemFailures"], "module: failed messages would be deleted")
    loop = resources["aws_lambda_function_recursion_config", "function"]["recursive_loop"]
    expect(loop == properties(template, "Function")["RecursiveLoop"], "module: RecursiveLoop")
    target = resources["aws_cloudwatch_event_target", "rule"]
    expect("dead_letter_config" in target and len(target["depends_on"]) == 2, "module: the rule's target")
    environment = str(resources["aws_lambda_function", "function"]["environment"])
    variables_there = set(properties(template, "Function")["Environment"]["Variables"])
    for name in set(re.findall(r"\b((?:SSH|S3|DEAD|SWEEP|RECEIPT)_[A-Z_]+)\b", environment)) - {"SSH_HOST"}:
        expect(name in variables_there, f"module: {name} is not in {path}")
    for name in ("SSH_SECRET", "S3_AFTER_DELIVERY", "DEAD_LETTER_QUEUE_URL", "SWEEP_QUEUE_URL", *RECEIPTS.values()):
        expect(name in environment, f"module: {name} is missing")
    expect('SSH_KEEP_CONNECTION = "no"' in environment, "module: a frozen environment would hold its connection")

    # Their texts are the files' own; what counts is that all are there, and that no name is left open.
    named = set(re.findall(r'"([a-z-]+)"', local["policies"]))
    sources = {name for name in policies(template) if name.startswith("source-")}
    expect("source-${var.after_delivery}" in local["policies"], "module: the policy of the source")
    expect(
        named == set(policies(template)) - sources - BY_ARN,
        f"module: policies {sorted(named)}",
    )
    for name in policies(template):
        left_open = set(re.findall(r"\$\{(\w+)\}", read(f"deploy/iam/{name}.json"))) - set(local["names"]) - {"KmsKey", "ReceiptBus"}
        expect(not left_open, f"module: {left_open} of deploy/iam/{name}.json")

    for name, parameter in template["Parameters"].items():
        variable = variables.get(snake(name))
        if variable is None or "Default" not in parameter or parameter["Type"] == "CommaDelimitedList":
            continue
        ours, theirs = str(parameter["Default"]), str(variable.get("default")).removeprefix("${").removesuffix("}")
        expect(ours == theirs, f"module: {snake(name)} is {theirs}, and {ours} in {path}")


# Properties that are one text or figure in both.
SAME = {
    "AWS::Events::Rule": {},
    "AWS::SQS::Queue": {"MessageRetentionPeriod": "message_retention_seconds"},
    "AWS::Lambda::Function": {"Runtime": "runtime", "Handler": "handler"},
    "AWS::CloudWatch::Alarm": {
        "MetricName": "metric_name",
        "Namespace": "namespace",
        "Statistic": "statistic",
        "Period": "period",
        "EvaluationPeriods": "evaluation_periods",
        "Threshold": "threshold",
        "ComparisonOperator": "comparison_operator",
        "TreatMissingData": "treat_missing_data",
    },
    "AWS::Logs::MetricFilter": {"FilterPattern": "pattern"},
}
# The same in each one's words.
WORDS = {
    "s3-to-sftp/${AWS::StackName}": "${local.namespace}",
    "AlarmAge": "${var.alarm_age}",
    "OldestUndelivered": "${var.oldest_undelivered}",
}


def check_same(name, kind, ours, theirs, local):
    for property_name, argument in SAME.get(kind, {}).items():
        value = ours[property_name]
        if isinstance(value, dict):
            value = WORDS[next(iter(value.values()))]
        expect(value == theirs[argument], f"module: {argument} of {snake(name)} is {theirs[argument]}, not {value}")
    if kind == "AWS::CloudWatch::Alarm":
        dimensions = {it["Name"] for it in ours.get("Dimensions", [])}
        expect(dimensions == set(theirs.get("dimensions", {})), f"module: dimensions of {snake(name)}")
    if kind == "AWS::Logs::MetricFilter":
        [transformation], [block] = ours["MetricTransformations"], theirs["metric_transformation"]
        expect(transformation["MetricName"] == block["name"], f"module: the metric of {snake(name)}")
    if kind == "AWS::SQS::QueuePolicy":
        [queue] = ours["Queues"]
        expect(theirs["queue_url"] == f"${{aws_sqs_queue.{snake(queue['Ref'])}.url}}", f"module: {snake(name)}")
    expect(local["namespace"] == "s3-to-sftp/${var.name}", "module: the metrics' namespace")


def main():
    queue, direct = (template(f"deploy/{name}.yaml") for name in ("cloudformation", "direct"))
    template("deploy/network.yaml")
    for path, it in ("deploy/cloudformation.yaml", queue), ("deploy/direct.yaml", direct):
        check_policies(path, it)
        check_settings(path, it, all_of_them=it is queue)
        check_parameters(path, it)
        check_services(path, it)
        loop = properties(it, "Function")["RecursiveLoop"]
        expect(loop == "Allow", f"{path}: Lambda would end a long relay")
    check_queue("deploy/cloudformation.yaml", queue)
    check_docs(queue, direct)
    check_terraform("deploy/cloudformation.yaml", queue)
    for complaint in complaints:
        print(f"deploy: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


sys.exit(main())
