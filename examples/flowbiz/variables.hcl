variable "timezone" {
  type        = string
  default     = "Europe/Berlin"
  description = "The time zone of schedules and logs."
}

variable "office" {
  type        = list(string)
  default     = ["198.51.100.0/24"]
  description = "The addresses that metrics are shown to."
}

variable "clinic_addresses" {
  type        = list(string)
  default     = ["203.0.113.16/28"]
  description = "The clinic's own addresses."
}

# Passwords of people.

variable "alice_password" {
  type        = string
  sensitive   = true
  description = "Of the agency."
}

variable "bob_password" {
  type        = string
  sensitive   = true
  description = "Of the agency."
}

variable "kitchen_password" {
  type        = string
  sensitive   = true
  description = "The bakery's kitchen."
}

variable "reception_password" {
  type        = string
  sensitive   = true
  description = "The clinic's reception."
}

variable "crew_password" {
  type        = string
  sensitive   = true
  description = "The club's members."
}

# Secrets of the stacks. `vsa` shows them nowhere; they reach the `.env` of their own stack alone.

variable "dify" {
  type = object({
    secret_key     = string
    init_password  = string
    db_password    = string
    redis_password = string
    sandbox_key    = string
    plugin_key     = string
    inner_key      = string
  })
  sensitive   = true
  description = "Dify's secrets."
}

variable "n8n" {
  type = object({
    encryption_key = string
    runners_token  = string
    db_password    = string
    redis_password = string
  })
  sensitive   = true
  description = "n8n's secrets."
}

variable "grafana_password" {
  type        = string
  sensitive   = true
  description = "Grafana's administrator."
}

variable "orders_db_password" {
  type        = string
  sensitive   = true
  description = "The database of the bakery's orders."
}

variable "booking_db_password" {
  type        = string
  sensitive   = true
  description = "The database of the clinic's bookings."
}

variable "club_db_password" {
  type        = string
  sensitive   = true
  description = "The database of the club's site."
}
