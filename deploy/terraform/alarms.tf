# Who is told.

resource "aws_cloudwatch_log_group" "log" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention
  kms_key_id        = var.kms_key == "" ? null : var.kms_key
}

resource "aws_cloudwatch_log_metric_filter" "failures_in_log" {
  name           = "${var.name}-failures"
  log_group_name = aws_cloudwatch_log_group.log.name
  pattern        = "{ $.level = \"ERROR\" }"
  metric_transformation {
    namespace     = local.namespace
    name          = "Failures"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_log_metric_filter" "sources_not_deleted_in_log" {
  name           = "${var.name}-sources-not-deleted"
  log_group_name = aws_cloudwatch_log_group.log.name
  pattern        = "{ $.outcome = \"SourceNotDeleted\" }"
  metric_transformation {
    namespace     = local.namespace
    name          = "SourceNotDeleted"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "oldest_message_alarm" {
  alarm_name          = "${var.name}-OldestMessage"
  alarm_description   = "Files for ${var.settings["SSH_HOST"]} wait. What was received three times counts no more here, but in the alarm of failures."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.queue.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = var.alarm_age
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters_alarm" {
  alarm_name          = "${var.name}-DeadLetters"
  alarm_description   = "Files for ${var.settings["SSH_HOST"]} were given up. Each message says why; docs/deploy.md says how to send it again."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letter_queue.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# A failed message comes again within 18 minutes, so that one that lasts is seen in each period.
resource "aws_cloudwatch_metric_alarm" "failures_alarm" {
  alarm_name          = "${var.name}-Failures"
  alarm_description   = "Deliveries to ${var.settings["SSH_HOST"]} have been failing for 20 minutes and more."
  namespace           = local.namespace
  metric_name         = "Failures"
  statistic           = "Sum"
  period              = 1200
  evaluation_periods  = 2
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "sources_not_deleted_alarm" {
  alarm_name          = "${var.name}-SourcesNotDeleted"
  alarm_description   = "Files are with ${var.settings["SSH_HOST"]}, and their sources could not be deleted. They may be sent again."
  namespace           = local.namespace
  metric_name         = "SourceNotDeleted"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# Failed deliveries are no errors for Lambda: the queue is told which they are.
resource "aws_cloudwatch_metric_alarm" "invocation_errors_alarm" {
  alarm_name          = "${var.name}-InvocationErrors"
  alarm_description   = "The function could not start, ran out of time or memory, or a sweep failed."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.function.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "rule_failures_alarm" {
  alarm_name          = "${var.name}-RuleFailures"
  alarm_description   = "EventBridge could not put events into the queue. Where the dead-letter queue took them they can be sent again; else the sweep finds their objects."
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.rule.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "oldest_undelivered_alarm" {
  count             = local.sweeps ? 1 : 0
  alarm_name        = "${var.name}-OldestUndelivered"
  alarm_description = "Something in s3://${var.bucket}/${var.prefix} has not been delivered for days, though it was sent again."
  # The function's own metric.
  namespace           = "s3-to-sftp"
  metric_name         = "OldestUndelivered"
  dimensions          = { service = aws_lambda_function.function.function_name, destination = var.settings["SSH_HOST"] }
  statistic           = "Maximum"
  period              = 86400
  evaluation_periods  = 1
  threshold           = var.oldest_undelivered
  comparison_operator = "GreaterThanThreshold"
  # Until the next sweep has looked, it is as the last one saw it.
  treat_missing_data = "ignore"
  alarm_actions      = local.actions
  ok_actions         = local.actions
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title = "Waiting", region = local.region, stat = "Maximum", period = 300
          metrics = [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.queue.name, { label = "messages" }],
            [".", "ApproximateNumberOfMessagesNotVisible", ".", ".", { label = "under way, or waiting for their next attempt" }],
            [".", "ApproximateNumberOfMessagesVisible", ".", aws_sqs_queue.dead_letter_queue.name, { label = "given up" }],
            [".", "ApproximateAgeOfOldestMessage", ".", aws_sqs_queue.queue.name, { label = "age of the oldest message, s", yAxis = "right" }],
            ["s3-to-sftp", "OldestUndelivered", "service", var.name, "destination", var.settings["SSH_HOST"], { label = "age of the oldest object, s, as a sweep saw it", yAxis = "right" }],
          ]
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title = "Failures", region = local.region, stat = "Sum", period = 300
          metrics = [
            [local.namespace, "Failures", { label = "deliveries that failed" }],
            [".", "SourceNotDeleted", { label = "sources not deleted" }],
            ["AWS/Lambda", "Errors", "FunctionName", var.name, { label = "invocations that failed" }],
            [".", "Throttles", ".", ".", { label = "invocations without room" }],
            ["AWS/Events", "FailedInvocations", "RuleName", var.name, { label = "events without a queue" }],
          ]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title = "Invocations", region = local.region, period = 300
          metrics = [
            ["AWS/Lambda", "Invocations", "FunctionName", var.name, { stat = "Sum" }],
            [".", "ConcurrentExecutions", ".", ".", { stat = "Maximum", label = "at once" }],
            [".", "Duration", ".", ".", { stat = "p99", label = "duration, p99, ms", yAxis = "right" }],
          ]
        }
      },
      {
        type = "log", x = 12, y = 6, width = 12, height = 6
        properties = {
          title = "The last failures", region = local.region, view = "table"
          query = "SOURCE '${aws_cloudwatch_log_group.log.name}' | fields @timestamp, error_type, message | filter level = 'ERROR' | sort @timestamp desc | limit 20"
        }
      },
    ]
  })
}
