variable "http_port" {
  type        = number
  default     = 8080
  description = "Where nginx answers over HTTP."
}

variable "https_port" {
  type        = number
  default     = 8443
  description = "Where nginx answers over TLS."
}

variable "backend_port" {
  type        = number
  default     = 8081
  description = "Where the application behind notes.localhost listens."
}

variable "alice_password" {
  type        = string
  sensitive   = true
  description = "Given by the environment: VSA_VAR_alice_password. It is in no plan, no state and no log."
}
