terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first with aws_lambda_function_recursion_config and its like is 5.63.
      version = ">= 5.80"
    }
  }
}
