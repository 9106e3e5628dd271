output "queue" {
  value = aws_sqs_queue.queue.url
}

output "queue_arn" {
  value = aws_sqs_queue.queue.arn
}

output "dead_letter_queue" {
  value = aws_sqs_queue.dead_letter_queue.url
}

output "dead_letter_queue_arn" {
  value = aws_sqs_queue.dead_letter_queue.arn
}

output "function" {
  value = aws_lambda_function.function.arn
}

output "secret" {
  value = aws_secretsmanager_secret.secret.arn
}
