# The agency: its site, and the tools that it runs for itself and its customers.

auth "staff" {
  tenant = tenant.agency
  realm  = "Flowbiz staff"

  user "alice" {
    password = var.alice_password
  }

  user "bob" {
    password = var.bob_password
  }
}

# A static site: nginx serves the files itself, no stack is needed.
domain "flowbiz.example" {
  tenant  = tenant.agency
  aliases = ["www.flowbiz.example"]
  root    = "/srv/agency/www"
}

stack "dashboard" {
  tenant = tenant.agency
  source = "vsa://dashboard"
}

domain "dashboard.flowbiz.example" {
  tenant = tenant.agency
  auth   = auth.staff

  upstream {
    stack   = stack.dashboard
    service = "dashboard"
    port    = 8080
  }
}

stack "dify" {
  tenant = tenant.agency
  source = "vsa://dify"

  env = {
    DIFY_URL             = "https://dify.flowbiz.example"
    TIMEZONE             = var.timezone
    SECRET_KEY           = var.dify.secret_key
    INIT_PASSWORD        = var.dify.init_password
    DB_PASSWORD          = var.dify.db_password
    REDIS_PASSWORD       = var.dify.redis_password
    SANDBOX_API_KEY      = var.dify.sandbox_key
    PLUGIN_DAEMON_KEY    = var.dify.plugin_key
    PLUGIN_INNER_API_KEY = var.dify.inner_key
  }

  # The first start makes the database.
  wait {
    timeout = "10m"
  }
}

domain "dify.flowbiz.example" {
  tenant    = tenant.agency
  body_size = "100m"
  websocket = true

  upstream {
    stack   = stack.dify
    service = "gateway"
    port    = 8080
  }
}

stack "n8n" {
  tenant   = tenant.agency
  source   = "vsa://n8n"
  profiles = ["queue"]

  env = {
    N8N_HOST               = "n8n.flowbiz.example"
    TIMEZONE               = var.timezone
    EXECUTIONS_MODE        = "queue"
    N8N_ENCRYPTION_KEY     = var.n8n.encryption_key
    N8N_RUNNERS_AUTH_TOKEN = var.n8n.runners_token
    DB_PASSWORD            = var.n8n.db_password
    REDIS_PASSWORD         = var.n8n.redis_password
  }

  wait {
    timeout = "5m"
  }
}

# The editor is behind the staff's password besides n8n's own; webhooks, which others call, are not.
domain "n8n.flowbiz.example" {
  tenant    = tenant.agency
  auth      = auth.staff
  body_size = "16m"
  websocket = true

  upstream {
    stack   = stack.n8n
    service = "n8n"
    port    = 5678
  }

  location "/webhook/" {
    public = true
  }
}

stack "observability" {
  tenant = tenant.agency
  source = "vsa://observability"

  env = {
    GRAFANA_URL      = "https://metrics.flowbiz.example"
    GRAFANA_PASSWORD = var.grafana_password
  }

  # The audit log, the kernel's counters and the tenants' file system, all read-only: the stack's README says why.
  allow = ["bind:alloy", "bind:cadvisor", "bind:node-exporter"]

  wait {
    timeout = "5m"
  }
}

domain "metrics.flowbiz.example" {
  tenant    = tenant.agency
  websocket = true
  allow     = var.office

  upstream {
    stack   = stack.observability
    service = "grafana"
    port    = 3000
  }
}
