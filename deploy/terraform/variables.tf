# What is delivered.

variable "name" {
  description = "The partner. Rule, queue, function and secret are called so."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,59}$", var.name))
    error_message = "Up to 59 letters, digits and hyphens: a function's name has 64, and the dead-letter queue's has five more than this."
  }
}

variable "bucket" {
  description = "Bucket that files are uploaded to. It exists, and tells EventBridge of new objects."
  type        = string
}

variable "prefix" {
  description = "What the keys begin with, such as acme/. Two partners must not share a key."
  type        = string
  default     = ""
  validation {
    # It becomes a part of a pattern, of an ARN and of JSON text, where these mean something.
    # Descriptions have it, and a rule's has 512 characters.
    condition     = can(regex("^[^*?\"$\\\\]{0,400}$", var.prefix))
    error_message = "Up to 400 characters, none of * ? \" $ \\."
  }
}

variable "suffix" {
  description = "What the keys end with, such as .csv. Where there is one, nothing is swept."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^[^*?\"$\\\\]*$", var.suffix))
    error_message = "None of * ? \" $ \\."
  }
}

variable "after_delivery" {
  description = "What becomes of the source: delete, keep or move. With keep nothing is swept."
  type        = string
  default     = "delete"
  validation {
    condition     = contains(["delete", "keep", "move"], var.after_delivery)
    error_message = "delete, keep or move."
  }
}

variable "archive_bucket" {
  description = "For move, the bucket of the archive."
  type        = string
  default     = ""
}

variable "archive_prefix" {
  description = "For move, what the keys of the archive begin with. Required where it is the same bucket, and not below prefix."
  type        = string
  default     = ""
}

# To whom, and how.

variable "settings" {
  description = "Settings of the function by their names, such as SSH_HOST and SSH_HOST_KEY; the README has all of them. Not the login: it is the secret's."
  type        = map(string)
  validation {
    condition     = length(setintersection(keys(var.settings), ["SSH_PASSWORD", "SSH_PRIVATE_KEY", "SSH_PASSPHRASE"])) == 0
    error_message = "What is set here is in Terraform's state: put the login into the secret."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), ["RECEIPT_BUS", "RECEIPT_PREFIX"])) == 0
    error_message = "The role needs a policy for these: set receipt_bus, receipt_bucket and receipt_prefix."
  }
}

variable "maximum_concurrency" {
  description = "Invocations at once, each with one connection. AWS allows no less than 2."
  type        = number
  default     = 5
}

variable "batch_size" {
  description = "Messages per invocation. They share its time-out; more than 1 for many small files."
  type        = number
  default     = 1
}

# The function.

variable "package" {
  description = "Path of package.zip."
  type        = string
}

variable "architecture" {
  description = "That of package.zip: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

variable "timeout" {
  description = "Seconds that an invocation may take. What takes longer goes on in the next one."
  type        = number
  default     = 900
}

variable "memory_size" {
  description = "MB. The processor grows with it."
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "Invocations that are kept for this function, and the most that it has. -1 is neither."
  type        = number
  default     = -1
}

variable "log_level" {
  description = "TRACE, DEBUG or INFO: above INFO the metrics would go with the lines."
  type        = string
  default     = "INFO"
}

# Who is told, and what is kept for how long.

variable "alarm_topic" {
  description = "ARN of an SNS topic that the alarms are sent to."
  type        = string
  default     = ""
}

variable "alarm_age" {
  description = "Seconds that a message may wait before somebody is told."
  type        = number
  default     = 3600
}

variable "oldest_undelivered" {
  description = "Seconds that an object may lie below the prefix before somebody is told, more than sweep_older_than and a day. A sweep measures it."
  type        = number
  # A quarter of an hour is the schedule's window.
  default     = 262800
}

variable "sweep_schedule" {
  description = "When the prefix is swept, in the words of EventBridge Scheduler. Empty is never."
  type        = string
  default     = "rate(1 day)"
}

variable "sweep_older_than" {
  description = "What has lain for longer is sent to the queue again. More than a day, which a failed delivery may take."
  type        = string
  default     = "2d"
}

variable "log_retention" {
  description = "Days that the log, and so the receipts in it, are kept."
  type        = number
  default     = 90
}

variable "receipt_bus" {
  description = "ARN of an event bus that gets an event for each delivery and each failure."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(arn:[^:]+:events:[^:]+:[^:]+:event-bus/[^*?\"$\\\\]+)?$", var.receipt_bus))
    error_message = "The ARN of an event bus, arn:aws:events:REGION:ACCOUNT:event-bus/NAME."
  }
}

variable "receipt_bucket" {
  description = "Bucket that gets an object for each delivery, its receipt."
  type        = string
  default     = ""
}

variable "receipt_prefix" {
  description = "What the keys of the receipts begin with, such as receipts/acme/. What lies below it is never delivered."
  type        = string
  default     = ""
  validation {
    # The function writes below a folder, and its role may not write beside it.
    condition     = can(regex("^([^/*?\"$\\\\]+/)*$", var.receipt_prefix))
    error_message = "It ends in /, and has none of * ? \" $ \\."
  }
}

# Network and keys.

variable "subnets" {
  description = "Private subnets for the function, with a route to the partner and to S3."
  type        = list(string)
  default     = []
}

variable "security_groups" {
  description = "Security groups of the function, in those subnets."
  type        = list(string)
  default     = []
}

variable "kms_key" {
  description = "ARN of a KMS key of your own for the queues, the secret and the log. docs/deploy.md has its policy."
  type        = string
  default     = ""
}

variable "bucket_kms_key" {
  description = "ARN of the KMS key that the bucket's objects are encrypted with, where it is your own."
  type        = string
  default     = ""
}
