# deploy/cloudformation.yaml in Terraform: resource by resource, under the same names in small letters.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # Version 5 of the provider calls it `name`, version 6 `region`, and both this.
  region = data.aws_region.current.id

  namespace = "s3-to-sftp/${var.name}"
  is_in_vpc = length(var.subnets) > 0
  # A sweep goes by the prefix alone, and with keep it would find the same files each time.
  sweeps  = var.after_delivery != "keep" && var.suffix == "" && var.sweep_schedule != ""
  actions = var.alarm_topic == "" ? [] : [var.alarm_topic]

  # What the policies in deploy/iam leave to fill in.
  names = {
    Partition       = local.partition
    Region          = local.region
    Account         = local.account
    Function        = var.name
    Bucket          = var.bucket
    Prefix          = var.prefix
    ArchiveBucket   = var.archive_bucket
    ArchivePrefix   = var.archive_prefix
    Queue           = var.name
    DeadLetterQueue = "${var.name}-dead"
    Secret          = var.name
    ReceiptBucket   = var.receipt_bucket
    ReceiptPrefix   = var.receipt_prefix
  }
  policies = concat(
    ["logs", "source-${var.after_delivery}", "queue", "dead-letter-queue", "secrets-manager"],
    var.receipt_bucket == "" ? [] : ["receipt-prefix"],
    local.is_in_vpc ? ["vpc"] : [],
  )
  # The last part of a key's ARN.
  kms_keys = toset([for arn in compact([var.kms_key, var.bucket_kms_key]) : element(split("/", arn), 1)])
}

# --- From the bucket to the queue ---

resource "aws_cloudwatch_event_rule" "rule" {
  name        = var.name
  description = "New objects in s3://${var.bucket}/${var.prefix} to the queue"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [var.bucket] }
      # Prefix and suffix at once: two matchers in one list are either of them.
      object = { key = [{ wildcard = "${var.prefix}*${var.suffix}" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "rule" {
  rule      = aws_cloudwatch_event_rule.rule.name
  target_id = "queue"
  arn       = aws_sqs_queue.queue.arn
  # After a day of tries.
  dead_letter_config {
    arn = aws_sqs_queue.dead_letter_queue.arn
  }
  # Who may not send yet would lose what is uploaded meanwhile.
  depends_on = [aws_sqs_queue_policy.queue_policy, aws_sqs_queue_policy.dead_letter_queue_policy]
}

resource "aws_sqs_queue" "queue" {
  name                       = var.name
  visibility_timeout_seconds = 6 * var.timeout
  message_retention_seconds  = 1209600
  # The waits between 100 receives are 23 h 45 min and 30 s (docs/guarantees.md).
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter_queue.arn
    maxReceiveCount     = 100
  })
  kms_master_key_id       = var.kms_key == "" ? null : var.kms_key
  sqs_managed_sse_enabled = var.kms_key == "" ? true : null
}

resource "aws_sqs_queue" "dead_letter_queue" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.kms_key == "" ? null : var.kms_key
  sqs_managed_sse_enabled   = var.kms_key == "" ? true : null
}

data "aws_iam_policy_document" "the_rule_sends" {
  for_each = { queue = aws_sqs_queue.queue.arn, dead_letter_queue = aws_sqs_queue.dead_letter_queue.arn }
  statement {
    sid       = "TheRuleSends"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.rule.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sqs_queue_policy" "queue_policy" {
  queue_url = aws_sqs_queue.queue.url
  policy    = data.aws_iam_policy_document.the_rule_sends["queue"].json
}

resource "aws_sqs_queue_policy" "dead_letter_queue_policy" {
  queue_url = aws_sqs_queue.dead_letter_queue.url
  policy    = data.aws_iam_policy_document.the_rule_sends["dead_letter_queue"].json
}

# --- The function ---

resource "aws_lambda_function" "function" {
  function_name                  = var.name
  # 256 characters, and a host's name has up to 253.
  description                    = "To ${var.settings["SSH_HOST"]}"
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  role                           = aws_iam_role.role.arn
  timeout                        = var.timeout
  memory_size                    = var.memory_size
  reserved_concurrent_executions = var.reserved_concurrency

  logging_config {
    log_group             = aws_cloudwatch_log_group.log.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  dynamic "vpc_config" {
    for_each = local.is_in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnets
      security_group_ids = var.security_groups
    }
  }

  environment {
    variables = merge(
      # Frozen environments would hold their connections, beside those that maximum_concurrency counts.
      { SSH_KEEP_CONNECTION = "no" },
      var.settings,
      {
        SSH_SECRET            = aws_secretsmanager_secret.secret.arn
        S3_AFTER_DELIVERY     = var.after_delivery == "move" ? "move:s3://${var.archive_bucket}/${var.archive_prefix}" : var.after_delivery
        DEAD_LETTER_QUEUE_URL = aws_sqs_queue.dead_letter_queue.url
        SWEEP_QUEUE_URL       = local.sweeps ? aws_sqs_queue.queue.url : ""
        RECEIPT_BUS           = var.receipt_bus
        RECEIPT_PREFIX        = var.receipt_bucket == "" ? "" : "s3://${var.receipt_bucket}/${var.receipt_prefix}"
      },
    )
  }

  lifecycle {
    # Else nothing would say so: there is no bucket to write to, or every object of it would be a receipt.
    precondition {
      condition     = (var.receipt_bucket == "") == (var.receipt_prefix == "")
      error_message = "receipt_bucket and receipt_prefix go together."
    }
    precondition {
      condition     = var.receipt_bucket != var.bucket || !startswith(var.prefix, var.receipt_prefix)
      error_message = "What lies below receipt_prefix is never delivered, so prefix cannot."
    }
  }

  depends_on = [aws_iam_role_policy.policy, aws_iam_role_policy.receipt_bus]
}

# A file that takes more than about 16 invocations is no endless loop; the function has bounds of its own.
resource "aws_lambda_function_recursion_config" "function" {
  function_name  = aws_lambda_function.function.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "event_source_mapping" {
  function_name    = aws_lambda_function.function.arn
  event_source_arn = aws_sqs_queue.queue.arn
  batch_size       = var.batch_size
  # Without it, messages that failed would be deleted.
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}

# Without a value: it is put there by hand (docs/deploy.md), and is in no variable and no state.
resource "aws_secretsmanager_secret" "secret" {
  name        = var.name
  description = "Login at ${var.settings["SSH_HOST"]}, as {\"Username\",\"Password\",\"PrivateKey\",\"Passphrase\",\"HostKey\"}"
  kms_key_id  = var.kms_key == "" ? null : var.kms_key
}

resource "aws_iam_role" "role" {
  name_prefix = "s3-to-sftp-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "policy" {
  for_each = toset(local.policies)
  name     = each.value
  role     = aws_iam_role.role.id
  policy   = templatefile("${path.module}/../iam/${each.value}.json", local.names)
}

resource "aws_iam_role_policy" "receipt_bus" {
  count = var.receipt_bus == "" ? 0 : 1
  name  = "receipt-bus"
  role  = aws_iam_role.role.id
  # The bus may be another region's or account's.
  policy = templatefile("${path.module}/../iam/receipt-bus.json", merge(local.names, {
    Partition  = split(":", var.receipt_bus)[1]
    Region     = split(":", var.receipt_bus)[3]
    Account    = split(":", var.receipt_bus)[4]
    ReceiptBus = trimprefix(split(":", var.receipt_bus)[5], "event-bus/")
  }))
}

resource "aws_iam_role_policy" "kms" {
  for_each = local.kms_keys
  name     = "kms-${each.value}"
  role     = aws_iam_role.role.id
  policy   = templatefile("${path.module}/../iam/kms.json", merge(local.names, { KmsKey = each.value }))
}

# --- The sweep: what an event that was lost has left ---

resource "aws_scheduler_schedule" "sweep" {
  count               = local.sweeps ? 1 : 0
  name                = var.name
  description         = "What has lain in s3://${var.bucket}/${var.prefix} for more than ${var.sweep_older_than}"
  schedule_expression = var.sweep_schedule
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }
  target {
    arn      = aws_lambda_function.function.arn
    role_arn = aws_iam_role.sweep_role[0].arn
    input    = jsonencode({ sweep = "s3://${var.bucket}/${var.prefix}", older_than = var.sweep_older_than })
  }
}

resource "aws_iam_role" "sweep_role" {
  count       = local.sweeps ? 1 : 0
  name_prefix = "s3-to-sftp-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        # EventBridge Scheduler names the group here, not the schedule.
        ArnEquals    = { "aws:SourceArn" = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/default" }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    }]
  })
}

resource "aws_iam_role_policy" "sweep" {
  count = local.sweeps ? 1 : 0
  name  = "sweep"
  role  = aws_iam_role.sweep_role[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Sweep"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = aws_lambda_function.function.arn
    }]
  })
}
